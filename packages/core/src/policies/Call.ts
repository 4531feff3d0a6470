/** One running call of a handler: whether it is over, and how it is told to stop. */
import type { CommitGroup } from "../domain/Plan.ts"
import type { CallContext } from "../ports/Dispatcher.ts"

/**
 * The running call of a commit group. `over` turns true once, when the call has answered or was given up; what it
 * answers later is not heard.
 *
 * @category models
 * @since 0.1.0
 */
export class Call<Input> implements CallContext {
  readonly group: CommitGroup<Input>
  readonly position: number
  over = false
  private aborted: unknown = undefined
  private controller: AbortController | undefined = undefined
  private listeners: Array<() => void> | undefined = undefined

  constructor(group: CommitGroup<Input>, position: number) {
    this.group = group
    this.position = position
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

  /** Ends the call and tells the handler. `reason` becomes the reason of the signal. */
  abort(reason: unknown): void {
    this.over = true
    this.aborted = reason
    this.controller?.abort(reason)
    for (const listener of this.listeners ?? []) listener()
  }
}
