/** Dispatchers run operations: through the actions of a resource, or through the host application's routes. */
import type * as Effect from "effect/Effect"
import type { Operation } from "./Operation.ts"
import type { OperationResult } from "./OperationResult.ts"

/** What a handler returns: a value, a promise of it, or an effect that cannot fail (defects aside). */
export type HandlerOutput<A, Services = never> = A | PromiseLike<A> | Effect.Effect<A, never, Services>

/** The context of one handler call. */
export interface CallContext {
  /** Aborts when the deadline of the batch or the timeout of the operation has passed. Created on first use. */
  readonly signal: AbortSignal
  /** The transaction that the call runs in, or the database outside of one; undefined without a unit of work. */
  readonly tx: unknown
  /** Whether the call is part of an all-or-nothing group. */
  readonly atomic: boolean
  /** Calls a listener when the call is aborted, without creating `signal`. */
  readonly onAbort: (listener: () => void) => void
}

/** Reports a defect of one operation and returns the operation's result. */
export type OnDefect = (defect: unknown, operation: Operation) => OperationResult

/**
 * Runs the operations of one batch. Created for each batch, bound to its caller.
 *
 * **Details** Failed operations are returned as results. An exception is a defect of its operation alone. `prepare` is
 * called once per batch, before any operation runs. It may replace inputs and set the results of operations that must
 * not run; it must have no effects outside of the batch. `runMany` returns one result per operation, in order. If it
 * throws, it must have changed nothing: it is then called again with fewer operations to find those that made it throw.
 * `Services` are the services that the returned effects need; the endpoint provides them.
 */
export interface Dispatcher<Input, Services = never> {
  readonly prepare?: (operations: ReadonlyArray<Operation<Input>>, onDefect: OnDefect) => PromiseLike<void>
  readonly run: (operation: Operation<Input>, context: CallContext) => HandlerOutput<OperationResult, Services>
  readonly runMany?: (
    operations: ReadonlyArray<Operation<Input>>,
    context: CallContext,
  ) => HandlerOutput<ReadonlyArray<OperationResult>, Services>
  /** Whether an operation may be run by `runMany`. */
  readonly coalesces: (operation: Operation) => boolean
}
