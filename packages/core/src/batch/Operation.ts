/** One unit of work of a batch: its request, its position and its result in one record, from decoding to encoding. */
import type { OperationResult } from "./OperationResult.ts"

/** An operation that must succeed before another one may start. */
export interface Dependency {
  readonly operation: Operation
  /** HTTP statuses, beside 2xx, that count as success. */
  readonly accept: ReadonlyArray<number>
}

/**
 * One operation.
 *
 * **Details** Three members change after decoding: `duplicateOf` is set when the idempotency keys of the batch are
 * known; `input` is replaced by its validated form before planning; and `result`, undefined at first, is written by each
 * step in turn:
 *
 * 1. Before execution, decoding, validation, idempotency, policies and the quota set it for operations that must not
 *    run. A stored result may replace a refusal. What is set when execution starts stays.
 * 2. Execution sets it for all others. Outside of a transaction, the first result stays.
 * 3. Inside a transaction, a result is provisional until the transaction has ended. Later operations, references and
 *    idempotency records of the same transaction read it. A retry of the transaction resets it to undefined; a rollback,
 *    a conflict, an unknown commit or an abort replaces it.
 * 4. After execution every operation has a result, and nothing writes it again.
 */
export interface Operation<Input = unknown> {
  /** Position in the request, from 0. */
  readonly index: number
  /** The sub-request's id, or the id of the resource that the action is for. */
  readonly id: string | undefined
  /** Name of the action; for a sub-request, its method. */
  readonly action: string
  input: Input
  /** Operations with the same key run in request order among themselves. */
  readonly orderKey: string | undefined
  readonly dependsOn: ReadonlyArray<Dependency>
  /** The atomicity group: all operations of a group happen, or none. */
  readonly group?: string | undefined
  /** The client's idempotency key for this operation. */
  readonly idempotencyKey?: string | undefined
  /** An earlier operation of this batch with the same key and payload; this operation does not run and gets its result. */
  duplicateOf?: Operation | undefined
  result: OperationResult | undefined
}

/** Whether a dependency has succeeded, so that its dependants may run. */
export const isFulfilled = ({ operation: { result }, accept }: Dependency): boolean =>
  result !== undefined &&
  result.outcome !== "skipped" &&
  ((result.status >= 200 && result.status < 300) || accept.includes(result.status))
