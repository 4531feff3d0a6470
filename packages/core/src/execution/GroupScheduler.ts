/**
 * Schedules the commit groups of one plan: up to `concurrency` at once, each after the groups that it waits for.
 *
 * Plain code instead of fibers, because a fiber, a timer and an `AbortController` per operation would cost ten times as
 * much as the operation itself. The executor suspends one fiber around the whole scheduler.
 */
import { type Failure, failure, internalFailure } from "../batch/Failure.ts"
import type { Operation } from "../batch/Operation.ts"
import { OperationResult } from "../batch/OperationResult.ts"
import type { Plan } from "../planning/Plan.ts"
import { RunningGroup } from "./RunningGroup.ts"
import { readyOperations } from "./readyOperations.ts"
import { type TimeoutOptions, TimeoutQueue } from "./TimeoutQueue.ts"

/** How a scheduler runs groups, and what it runs them with. */
export interface GroupSchedulerOptions<Input> {
  /** Calls the handlers of a group, settles its `ready` operations, and then calls `finished`. Must not throw. */
  readonly run: (running: RunningGroup<Input>, ready: ReadonlyArray<Operation<Input>>, finished: () => void) => void
  /** The `tx` of handlers outside of a transaction. */
  readonly handle: unknown
  /** Milliseconds; never goes backwards. */
  readonly now: () => number
  /** Runs a function after the event loop has served pending input and output. */
  readonly yieldToEventLoop: (run: () => void) => void
  /** The timeout of a handler call, and its clock; undefined for no timeout. */
  readonly timeout: Omit<TimeoutOptions<RunningGroup<Input>>, "expire"> | undefined
  /** Called once, when every operation has its result. */
  readonly onDone: () => void
}

/** Milliseconds for which the scheduler may block the event loop. */
const sliceMs = 5

const deadlineExceeded = () => failure("DEADLINE_EXCEEDED", "The batch exceeded its deadline", { retryable: true })
const disconnected = () => failure("CANCELLED", "The client disconnected", { retryable: true })
const stopped = () => failure("SKIPPED", "Not begun: earlier operations failed", { retryable: true })

// The handler may ignore its signal, or may have had its effect before it fired.
const begun = (reason: Failure): Failure => ({
  ...reason,
  message: `${reason.message}. The operation had begun, and its outcome is unknown`,
})

/** The scheduler of one plan. */
export class GroupScheduler<Input> {
  private readonly plan: Plan<Input>
  private readonly options: GroupSchedulerOptions<Input>
  /** How many groups each group still waits for. */
  private readonly awaited: Int32Array
  /** Positions before `cursor` that had to wait when the cursor passed them, and are ready now. */
  private readonly released: Array<number> = []
  private releasedHead = 0
  private cursor = 0
  /** The running groups, in no order; each knows its slot. */
  private readonly active: Array<RunningGroup<Input>> = []
  private failures = 0
  private halted = false
  private finished = false
  private yielding = false
  private sliceStart: number
  private readonly timeouts: TimeoutQueue<RunningGroup<Input>> | undefined = undefined

  constructor(plan: Plan<Input>, options: GroupSchedulerOptions<Input>) {
    this.plan = plan
    this.options = options
    this.awaited = Int32Array.from(plan.groups, (group) => group.waitsFor)
    this.sliceStart = options.now()
    if (options.timeout === undefined) return
    this.timeouts = new TimeoutQueue({ ...options.timeout, expire: (running) => this.timeOut(running) })
  }

  /** Starts as many groups as may run. */
  startGroups(): void {
    while (!this.yielding && !this.finished && this.active.length < this.plan.concurrency) {
      const position = this.nextPosition()
      if (position === undefined) break
      this.startGroup(position)
    }
    if (!this.yielding && this.active.length === 0) this.finish()
  }

  /** Ends the batch at its deadline: aborts running groups without awaiting them, and starts no others. */
  onDeadline(): void {
    this.halt(deadlineExceeded)
    this.abortAll(this.active, deadlineExceeded)
  }

  /** Ends the batch when the client disconnects: running groups finish, atomic ones are aborted, no others start. */
  onDisconnect(): void {
    this.halt(disconnected)
    this.abortAll(
      this.active.filter(({ atomic }) => atomic),
      disconnected,
    )
  }

  /** Ends the batch at once: aborts running groups without awaiting them, and starts no others. */
  stop(message: string): void {
    const cancelled = () => failure("CANCELLED", message)
    this.halt(cancelled)
    this.abortAll(this.active, cancelled)
  }

  private nextPosition(): number | undefined {
    if (this.halted) return undefined
    if (this.releasedHead < this.released.length) return this.released[this.releasedHead++]
    while (this.cursor < this.plan.groups.length) {
      if (this.awaited[this.cursor] === 0) return this.cursor++
      if (this.plan.ordered) return undefined
      this.cursor++
    }
    return undefined
  }

  private startGroup(position: number): void {
    const group = this.plan.groups[position]!
    const hasTransaction = group.transaction !== "none"
    const ready = hasTransaction ? group.operations.filter(isUnsettled) : readyOperations(group.operations)
    if (ready.length === 0) return this.release(position)
    const running = new RunningGroup(group, position, this.options.handle)
    running.slot = this.active.push(running) - 1
    // A transaction makes several calls one after another. Each has a timeout of its own, from its own start.
    if (hasTransaction) running.timeOut = () => this.timeOut(running)
    else this.timeouts?.add(running)
    let isSynchronous = true
    this.options.run(running, ready, () => {
      if (running.ended) return
      running.ended = true
      this.remove(running)
      if (!isSynchronous) this.continue()
    })
    isSynchronous = false
    // Handlers that return synchronously never leave the loop in `startGroups`, so it has to yield itself.
    if (running.ended && this.options.now() - this.sliceStart > sliceMs) this.yieldThenStart()
  }

  private remove(running: RunningGroup<Input>): void {
    const last = this.active.pop()!
    if (last !== running) {
      this.active[running.slot] = last
      last.slot = running.slot
    }
    this.release(running.position)
  }

  private release(position: number): void {
    const { operations, releases } = this.plan.groups[position]!
    for (const later of releases) {
      if (--this.awaited[later]! === 0 && later < this.cursor) this.released.push(later)
    }
    if (this.plan.stopAfter === undefined) return
    for (const { result } of operations) if (result?.outcome === "error") this.failures++
    if (this.failures >= this.plan.stopAfter) this.halt(stopped)
  }

  private timeOut(running: RunningGroup<Input>): void {
    const limit = this.options.timeout?.milliseconds
    this.abort(running, failure("TIMEOUT", `The operation took longer than ${limit} ms`, { retryable: true }))
    this.continue()
  }

  private abortAll(groups: ReadonlyArray<RunningGroup<Input>>, reason: () => Failure): void {
    for (const running of groups.slice()) this.abort(running, reason())
    if (this.active.length === 0) this.finish()
  }

  private abort(running: RunningGroup<Input>, reason: Failure): void {
    if (running.settleAborted !== undefined) {
      if (!running.settleAborted(reason)) return
    } else {
      for (const operation of running.group.operations) operation.result ??= OperationResult.interrupted(begun(reason))
    }
    running.abort(new DOMException(reason.message, reason.code === "TIMEOUT" ? "TimeoutError" : "AbortError"))
    this.remove(running)
  }

  private halt(reason: () => Failure): void {
    if (this.halted || this.finished) return
    this.halted = true
    const started = new Set<Operation<Input>>()
    for (const { group } of this.active) for (const operation of group.operations) started.add(operation)
    for (const { operations } of this.plan.groups) {
      for (const operation of operations) {
        if (!started.has(operation)) operation.result ??= OperationResult.skipped(reason())
      }
    }
  }

  private continue(): void {
    if (!this.yielding && this.options.now() - this.sliceStart > sliceMs) this.yieldThenStart()
    else this.startGroups()
  }

  private yieldThenStart(): void {
    this.yielding = true
    this.options.yieldToEventLoop(() => {
      this.yielding = false
      this.sliceStart = this.options.now()
      this.startGroups()
    })
  }

  private finish(): void {
    if (this.finished) return
    this.finished = true
    this.timeouts?.close()
    for (const { operations } of this.plan.groups) {
      // Only a planner that violates its contract leaves an operation without a result.
      for (const operation of operations) operation.result ??= OperationResult.refused(internalFailure())
    }
    this.options.onDone()
  }
}

const isUnsettled = ({ result }: Operation): boolean => result === undefined
