/**
 * Runs the groups of one plan, so many at once, each after those it waits for.
 *
 * Hand-written on purpose: a fiber, a timer and an `AbortController` per operation would cost ten times as much as the
 * operation. The executor suspends one fiber around a whole pool.
 */
import { type Failure, failure, internalFailure } from "../batch/Failure.ts"
import type { Operation } from "../batch/Operation.ts"
import { OperationResult } from "../batch/OperationResult.ts"
import type { Plan } from "../planning/Plan.ts"
import { RunningGroup } from "./RunningGroup.ts"
import { dueOperations } from "./dueOperations.ts"
import { type TimeoutOptions, TimeoutQueue } from "./TimeoutQueue.ts"

/** What a pool needs of its surroundings. */
export interface GroupSchedulerOptions<Input> {
  /** Calls the handlers of a group, settles its operations, and then tells that it has finished. Never throws. */
  readonly call: (call: RunningGroup<Input>, due: ReadonlyArray<Operation<Input>>, finished: () => void) => void
  /** What handlers are given as `tx` outside of a transaction. */
  readonly handle: unknown
  /** Milliseconds, steadily rising. */
  readonly now: () => number
  /** Runs a function after pending input and output were served. */
  readonly soon: (run: () => void) => void
  /** How long one call may take, and by which clock; undefined for no limit. */
  readonly timeout: Omit<TimeoutOptions<RunningGroup<Input>>, "expire"> | undefined
  /** Called once, when every operation has its result. */
  readonly done: () => void
}

/** How long the pool may hold the event loop before it lets others have it. */
const sliceMs = 5

const deadlineExceeded = () => failure("DEADLINE_EXCEEDED", "The time for the batch was over", { retryable: true })
const cancelled = () => failure("CANCELLED", "The client went away", { retryable: true })
const stopped = () => failure("SKIPPED", "Not begun: earlier operations failed", { retryable: true })

export class GroupScheduler<Input> {
  private readonly plan: Plan<Input>
  private readonly options: GroupSchedulerOptions<Input>
  private readonly waiting: Int32Array
  /** Groups that were passed over because they had to wait, and no longer have to. */
  private readonly released: Array<number> = []
  private releasedHead = 0
  private cursor = 0
  /** What runs, in no order; each call knows its place in it. */
  private readonly running: Array<RunningGroup<Input>> = []
  private failures = 0
  private halted = false
  private finished = false
  private yielding = false
  private sliceStart: number
  private readonly timeouts: TimeoutQueue<RunningGroup<Input>> | undefined = undefined

  constructor(plan: Plan<Input>, options: GroupSchedulerOptions<Input>) {
    this.plan = plan
    this.options = options
    this.waiting = Int32Array.from(plan.groups, (group) => group.waitsFor)
    this.sliceStart = options.now()
    if (options.timeout === undefined) return
    this.timeouts = new TimeoutQueue({ ...options.timeout, expire: (call) => this.expire(call) })
  }

  /** Begins as many groups as may run. */
  pull(): void {
    while (!this.yielding && !this.finished && this.running.length < this.plan.concurrency) {
      const position = this.next()
      if (position === undefined) break
      this.begin(position)
    }
    if (!this.yielding && this.running.length === 0) this.finish()
  }

  /** The time of the batch is over: what runs is told to stop and not waited for, the rest does not begin. */
  deadline(): void {
    this.halt(deadlineExceeded)
    for (const call of this.running.slice()) this.giveUp(call, deadlineExceeded())
    if (this.running.length === 0) this.finish()
  }

  /** The client went away: what runs may finish, except what is all or nothing; the rest does not begin. */
  cancel(): void {
    this.halt(cancelled)
    for (const call of this.running.filter(({ atomic }) => atomic)) this.giveUp(call, cancelled())
    if (this.running.length === 0) this.finish()
  }

  /** The batch is to stop: what runs is told so and not waited for, the rest does not begin. */
  stop(why: string): void {
    const reason = () => failure("CANCELLED", why)
    this.halt(reason)
    for (const call of this.running.slice()) this.giveUp(call, reason())
    if (this.running.length === 0) this.finish()
  }

  private next(): number | undefined {
    if (this.halted) return undefined
    if (this.releasedHead < this.released.length) return this.released[this.releasedHead++]
    while (this.cursor < this.plan.groups.length) {
      if (this.waiting[this.cursor] === 0) return this.cursor++
      if (this.plan.ordered) return undefined
      this.cursor++
    }
    return undefined
  }

  private begin(position: number): void {
    const group = this.plan.groups[position]!
    const due = group.transaction === "none" ? dueOperations(group.operations) : group.operations.filter(isDue)
    if (due.length === 0) return this.release(position)
    const call = new RunningGroup(group, position, this.options.handle)
    call.slot = this.running.push(call) - 1
    // The calls of a transaction come one after another, each with its own time: they are watched where they begin.
    if (group.transaction === "none") this.timeouts?.add(call)
    else call.expire = () => this.expire(call)
    let sync = true
    this.options.call(call, due, () => {
      if (call.over) return
      call.over = true
      this.end(call)
      if (!sync) this.resume()
    })
    sync = false
    // Handlers that answer at once never leave this loop by themselves.
    if (call.over && this.options.now() - this.sliceStart > sliceMs) this.breathe()
  }

  private end(call: RunningGroup<Input>): void {
    const last = this.running.pop()!
    if (last !== call) {
      this.running[call.slot] = last
      last.slot = call.slot
    }
    this.release(call.position)
  }

  private release(position: number): void {
    const { operations, releases } = this.plan.groups[position]!
    for (const later of releases) {
      if (--this.waiting[later]! === 0 && later < this.cursor) this.released.push(later)
    }
    if (this.plan.stopAfter === undefined) return
    for (const { result } of operations) if (result?.outcome === "error") this.failures++
    if (this.failures >= this.plan.stopAfter) this.halt(stopped)
  }

  private expire(call: RunningGroup<Input>): void {
    const limit = this.options.timeout?.milliseconds
    this.giveUp(call, failure("TIMEOUT", `The operation took longer than ${limit} ms`, { retryable: true }))
    this.resume()
  }

  private giveUp(call: RunningGroup<Input>, reason: Failure): void {
    if (call.onGiveUp !== undefined) {
      if (!call.onGiveUp(reason)) return
    } else for (const operation of call.group.operations) operation.result ??= OperationResult.refused(reason)
    call.abort(new DOMException(reason.message, reason.code === "TIMEOUT" ? "TimeoutError" : "AbortError"))
    this.end(call)
  }

  private halt(reason: () => Failure): void {
    if (this.halted || this.finished) return
    this.halted = true
    const begun = new Set<Operation<Input>>()
    for (const call of this.running) for (const operation of call.group.operations) begun.add(operation)
    for (const { operations } of this.plan.groups) {
      for (const operation of operations) {
        if (!begun.has(operation)) operation.result ??= OperationResult.skipped(reason())
      }
    }
  }

  private resume(): void {
    if (!this.yielding && this.options.now() - this.sliceStart > sliceMs) this.breathe()
    else this.pull()
  }

  private breathe(): void {
    this.yielding = true
    this.options.soon(() => {
      this.yielding = false
      this.sliceStart = this.options.now()
      this.pull()
    })
  }

  private finish(): void {
    if (this.finished) return
    this.finished = true
    this.timeouts?.close()
    for (const { operations } of this.plan.groups) {
      // Only a planner that breaks its contract leaves an operation behind.
      for (const operation of operations) operation.result ??= OperationResult.refused(internalFailure())
    }
    this.options.done()
  }
}

const isDue = ({ result }: Operation): boolean => result === undefined
