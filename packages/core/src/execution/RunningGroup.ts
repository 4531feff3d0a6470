/** One commit group that runs: whether it is over, and how its handlers are told to stop. */
import type { Failure } from "../batch/Failure.ts"
import type { Operation } from "../batch/Operation.ts"
import type { OperationResult } from "../batch/OperationResult.ts"
import type { CommitGroup } from "../planning/CommitGroup.ts"
import type { CallContext } from "../batch/Dispatcher.ts"

/**
 * A running commit group. `over` turns true once, when it has ended or was given up; what its handlers answer later is
 * not heard.
 */
export class RunningGroup<Input> implements CallContext {
  readonly group: CommitGroup<Input>
  readonly position: number
  /** Place among the calls that run; the pool's own. */
  slot = 0
  /** When the time of the call is over; the timeout queue's own. */
  endsAt = 0
  over = false
  /** What handlers are given as `tx`. */
  tx: unknown
  /** Decides the results of a group that is given up, in place of `settle`; false if it cannot be given up any more. */
  onGiveUp: ((reason: Failure) => boolean) | undefined = undefined
  /** Those of a transaction's operations that were handed to handlers last. */
  begun: ReadonlyArray<Operation<Input>> = []
  /** Ends the group because a call of its transaction took too long. */
  expire: () => void = () => {}
  private aborted: unknown = undefined
  private controller: AbortController | undefined = undefined
  private listeners: Array<() => void> | undefined = undefined

  constructor(group: CommitGroup<Input>, position: number, tx: unknown) {
    this.group = group
    this.position = position
    this.tx = tx
  }

  get atomic(): boolean {
    return this.group.transaction === "atomic"
  }

  // An AbortController costs as much as running a trivial operation does, so it is made for those who look at it.
  get signal(): AbortSignal {
    this.controller ??= new AbortController()
    if (this.aborted !== undefined && !this.controller.signal.aborted) this.controller.abort(this.aborted)
    return this.controller.signal
  }

  onAbort(listener: () => void): void {
    if (this.aborted !== undefined) listener()
    else (this.listeners ??= []).push(listener)
  }

  /** Gives an operation its result, unless the call is over. */
  settle(operation: Operation<Input>, result: OperationResult): void {
    if (!this.over) operation.result = result
  }

  /** Ends the call and tells its handlers. `reason` becomes the reason of the signal. */
  abort(reason: unknown): void {
    this.over = true
    this.aborted = reason
    this.controller?.abort(reason)
    for (const listener of this.listeners ?? []) listener()
  }
}
