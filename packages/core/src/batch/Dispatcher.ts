/** What runs operations: actions of a resource, or the host application's own routes. */
import type * as Effect from "effect/Effect"
import type { Operation } from "./Operation.ts"
import type { OperationResult } from "./OperationResult.ts"

/** A value, a promise of it, or an effect that cannot fail (defects aside). */
export type Answer<A> = A | PromiseLike<A> | Effect.Effect<A>

/** What a running call is told, and how it learns that it is to stop. */
export interface CallContext {
  /** Fires when the deadline of the batch or the time of the operation is over. Made on first use. */
  readonly signal: AbortSignal
  /** The transaction that the call runs in, or the database outside of one; undefined without a unit of work. */
  readonly tx: unknown
  /** Whether the call is part of something that happens as a whole or not at all. */
  readonly atomic: boolean
  /** Like listening on `signal`, without making one. */
  readonly onAbort: (listener: () => void) => void
}

/** Reports a defect of one operation, and tells what the operation is answered with. */
export type OnDefect = (defect: unknown, operation: Operation) => OperationResult

/**
 * Runs the operations of one batch. Made anew for every batch, with its caller bound in.
 *
 * **Details** An operation that fails is answered with a result, not with an exception: what is thrown is a defect,
 * which stays with its operation. `prepare` is called once per batch, before anything has begun; it may replace
 * inputs and set results of operations that are not to be run, and must not touch anything outside of the batch.
 * `runMany` answers one result per operation, in order; if it throws, it must have changed nothing: the engine then
 * calls it again with fewer operations to find the offenders.
 */
export interface Dispatcher<Input> {
  readonly prepare?: (operations: ReadonlyArray<Operation<Input>>, onDefect: OnDefect) => PromiseLike<void>
  readonly run: (operation: Operation<Input>, context: CallContext) => Answer<OperationResult>
  readonly runMany?: (
    operations: ReadonlyArray<Operation<Input>>,
    context: CallContext,
  ) => Answer<ReadonlyArray<OperationResult>>
  /** Whether an operation may be run by `runMany`. */
  readonly coalesces: (operation: Operation) => boolean
}
