/** Actions of resources. */
import type * as Effect from "effect/Effect"
import type { Failure } from "../batch/Failure.ts"
import type { InputSchema, OutputSchema } from "./ActionSchema.ts"
import type { BatchRequest, Tenant, Tx } from "./Register.ts"

/** The context of an action. */
export interface ActionContext {
  /** The id of the operation; the empty string for actions that are not `identified`. */
  readonly id: string
  /** Position of the operation in the batch, from 0. */
  readonly index: number
  /** The caller, as the configured `tenant` function returns it. */
  readonly tenant: Tenant
  /** The transaction that the operation runs in, or else the database; undefined without a unit of work. */
  readonly tx: Tx
  /** The framework's own request object of the batch; undefined in a job. */
  readonly request: BatchRequest
  /** Aborts when the timeout of the operation or the deadline of the batch has passed. Created on first use. */
  readonly signal: AbortSignal
}

/** One of the operations passed to `runMany`. */
export interface ManyItem<Input> {
  readonly input: Input
  /** See `ActionContext.id`. */
  readonly id: string
  readonly index: number
}

/** The context of `runMany`. */
export type ManyContext = Omit<ActionContext, "id" | "index">

/** What an action may return: a value or a failure, a promise of either, or an effect that succeeds with either. */
export type ActionReply<Value> =
  | Value
  | Failure
  | PromiseLike<Value | Failure>
  | Effect.Effect<Value | Failure, unknown, unknown>

/**
 * An action of a resource: `run`, `runMany`, or both.
 *
 * **Details** Both may return a value, a promise or an `Effect`. To fail an operation, return or throw a `failure`. Anything
 * else that is thrown, and an `Error` that is returned, is a defect: it is reported, and the operation fails with
 * `INTERNAL`.
 */
export interface Action<Input, Output = unknown> {
  /**
   * Schema of the input: any Standard Schema, such as one of zod, valibot or arktype, or an Effect Schema. Default: the
   * input is not validated.
   */
  readonly input?: InputSchema<unknown, Input> | undefined
  /**
   * Schema of the value that the action returns. A Standard Schema validates the value, and its output is what clients get.
   * An Effect Schema encodes the value. A value that does not match is a defect. Default: any value is accepted.
   */
  readonly output?: OutputSchema<Output> | undefined
  /** Whether operations must have the `id` of the resource that they are for. Default: true, except for `create`. */
  readonly identified?: boolean | undefined
  /** Runs one operation. Its return value becomes the `data` of the result, and the value's `id` the result's id. */
  readonly run?: ((input: Input, context: ActionContext) => ReplyOf<Output>) | undefined
  /**
   * Runs many operations at once, such as with one statement. Returns one value or failure per item, in order; an item that
   * failed must have changed nothing. If it throws, it must have changed nothing at all: it is then called again with fewer
   * items to find the faulty ones.
   */
  readonly runMany?: ((items: ReadonlyArray<ManyItem<Input>>, context: ManyContext) => ManyReplyOf<Output>) | undefined
}

/** What `run` may return; anything if the output has no schema. */
export type ReplyOf<Output> = unknown extends Output ? unknown : ActionReply<Output>

/** What `runMany` may return; anything if the output has no schema. */
export type ManyReplyOf<Output> = unknown extends Output
  ? unknown
  : | ReadonlyArray<Output | Failure>
    | PromiseLike<ReadonlyArray<Output | Failure>>
    | Effect.Effect<ReadonlyArray<Output | Failure>, unknown, unknown>

/** Whether operations of an action must have the id of a resource. */
export const isIdentified = (
  name: string,
  { identified = name !== "create" }: Pick<Action<unknown>, "identified">,
): boolean => identified
