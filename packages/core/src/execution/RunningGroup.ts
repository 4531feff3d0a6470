/** A commit group while it runs: whether it has ended, and how its handlers are aborted. */
import type { Failure } from "../batch/Failure.ts"
import type { Operation } from "../batch/Operation.ts"
import type { OperationResult } from "../batch/OperationResult.ts"
import type { CommitGroup } from "../planning/CommitGroup.ts"
import type { CallContext } from "../batch/Dispatcher.ts"

/** A running commit group, which is also the context of its handler calls. */
export class RunningGroup<Input> implements CallContext {
  readonly group: CommitGroup<Input>
  readonly position: number
  /** Index among the scheduler's active groups. */
  slot = 0
  /** When the timeout of the call expires; set by the timeout queue. */
  endsAt = 0
  /** Becomes true once, when the group has finished or was aborted; what its handlers return afterwards is ignored. */
  ended = false
  /** The `tx` of handlers. */
  tx: unknown
  /**
   * Decides the results when the group is aborted. Returns false if the group can no longer be aborted. Undefined: operations
   * without a result get the reason.
   */
  settleAborted: ((reason: Failure) => boolean) | undefined = undefined
  /** The operations of a transaction whose handler was called last. */
  currentCall: ReadonlyArray<Operation<Input>> = []
  /** Aborts the group because a call of its transaction has timed out. */
  timeOut: () => void = () => {}
  private abortReason: unknown = undefined
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

  // Created on first use: an AbortController costs as much as running a trivial operation.
  get signal(): AbortSignal {
    this.controller ??= new AbortController()
    if (this.abortReason !== undefined && !this.controller.signal.aborted) this.controller.abort(this.abortReason)
    return this.controller.signal
  }

  onAbort(listener: () => void): void {
    if (this.abortReason !== undefined) listener()
    else (this.listeners ??= []).push(listener)
  }

  /** Sets the result of an operation, unless the group has ended. */
  settle(operation: Operation<Input>, result: OperationResult): void {
    if (!this.ended) operation.result = result
  }

  /** Ends the group and aborts its handlers; `reason` becomes the reason of the signal. */
  abort(reason: unknown): void {
    this.ended = true
    this.abortReason = reason
    this.controller?.abort(reason)
    for (const listener of this.listeners ?? []) listener()
  }
}
