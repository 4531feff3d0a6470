/** One unit of work of a batch: its request, its place and its result, kept in one record from decoding to encoding. */
import type { OperationResult } from "./OperationResult.ts"

/** An operation that has to end well before another may begin. */
export interface Dependency {
  readonly operation: Operation
  /** HTTP statuses beside 2xx that count as good. */
  readonly accept: ReadonlyArray<number>
}

/**
 * One operation. `result` and `input` are the only members that change: the result is set exactly once, the input
 * is replaced by its validated form before the operation is planned.
 */
export interface Operation<Input = unknown> {
  /** Position in the request, from 0. */
  readonly index: number
  /** The sub-request's id, or the id of the resource that the action is for. */
  readonly id: string | undefined
  /** Name of the action; of a sub-request its method. */
  readonly action: string
  input: Input
  /** Operations that share a target run in request order among themselves. */
  readonly orderKey: string | undefined
  readonly dependsOn: ReadonlyArray<Dependency>
  /** The atomicity group: operations of one group happen all together or not at all. */
  readonly group?: string | undefined
  /** The client's name for this operation. */
  readonly idempotencyKey?: string | undefined
  /** The earlier operation of this batch that has the same key and does the same: its result is this one's. */
  duplicateOf?: Operation | undefined
  result: OperationResult | undefined
}

/** Whether a dependency ended in a way that lets its dependants run. */
export const isFulfilled = ({ operation: { result }, accept }: Dependency): boolean =>
  result !== undefined &&
  result.outcome !== "skipped" &&
  ((result.status >= 200 && result.status < 300) || accept.includes(result.status))
