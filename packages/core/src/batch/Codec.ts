/**
 * Wire formats: a request body becomes operations, results become a response body.
 *
 * To add a wire format, implement `Codec` and run `CodecContract` against it.
 */
import type * as Result from "effect/Result"
import type { Batch } from "./Batch.ts"
import type { BatchError } from "./BatchError.ts"
import type { Failure } from "./Failure.ts"
import type { Limits } from "./Limits.ts"
import type { Operation } from "./Operation.ts"
import type { Outcome } from "./OperationResult.ts"
import type { StrategyOffer } from "./Strategy.ts"

/** A request body that has been read and parsed. */
export interface Envelope {
  readonly value: unknown
  /** The text that `value` was parsed from; undefined if the host application parsed it. */
  readonly text: string | undefined
  /** Size of the body in bytes; undefined if it is not known. */
  readonly bytes: number | undefined
  /**
   * Sizes of operations that are larger than one may be, by what stands in their place in `value`: their short members. They
   * were not parsed. Undefined if the sizes are not known yet.
   */
  readonly oversized?: ReadonlyMap<unknown, number> | undefined
}

/** What a batch is checked against while it is decoded. */
export interface DecodeOptions {
  readonly limits: Limits
  readonly strategy: StrategyOffer
}

/** Which results a response lists. */
export type Listing = "all" | "failed" | "failed+ids"

/** The client's preference for the response (RFC 7240, section 4.2). */
export type ReturnPreference = "minimal" | "representation"

/** Options of one response. */
export interface EncodeOptions {
  /** Maximum size of the results in bytes; undefined for no limit. */
  readonly responseBytes: number | undefined
  readonly prefer: ReturnPreference | undefined
}

/**
 * Converts values to and from the JSON that the idempotency store keeps, and defines when two operations are the same.
 *
 * **Details** `stub` makes the replacement for a value that is too large to store, or that is not JSON. `fromJson` gets
 * undefined if no value was stored, and the outcome of the operation; it throws if the JSON was not made by `toJson`.
 * `purpose` returns the JSON that two uses of one idempotency key must have in common, in addition to the action. Default:
 * the `id` and the `input`.
 */
export interface ValueFormat {
  readonly toJson: (value: unknown) => unknown
  readonly fromJson: (json: unknown, outcome: Outcome) => unknown
  readonly stub: (value: unknown) => unknown
  readonly purpose?: ((operation: Operation) => unknown) | undefined
}

/** Options of one encoded result. */
export interface EncodeResultOptions {
  /** Index of the operation in the whole batch. */
  readonly index: number
  /** Whether a success includes what the action returned. Default: the setting of the format. */
  readonly data: boolean | undefined
}

/** An encoded response. */
export interface Encoded {
  readonly status: number
  /** JSON. */
  readonly body: string
  /** Whether the client's preference was applied. */
  readonly preferenceApplied: boolean
  /** Whole seconds after which a retry makes sense, for the header `Retry-After`. */
  readonly retryAfter?: number | undefined
}

/**
 * The part of a format that jobs use. A job stores the items of a batch and their results as separate JSON texts, because
 * it runs the batch in chunks.
 */
export interface ItemCodec<Input> {
  /**
   * Decodes one item of the list into the operation that `Codec.decode` makes of it. Never throws.
   *
   * **Details** `index` becomes the index of the operation. If there is a `refusal`, it becomes the result of the operation,
   * and `item` may be any value, also undefined.
   */
  readonly decodeItem: (item: unknown, index: number, refusal: Failure | undefined) => Operation<Input>
  /** Encodes one result as JSON, without line feeds. */
  readonly encodeResult: (operation: Operation, options: EncodeResultOptions) => string
  /** Reads a text that `encodeResult` wrote. `Codec.encode` encodes the operation as it would have encoded the original. */
  readonly decodeResult: (text: string) => Operation<Input>
  /** Whether `Codec.encode` needs what the actions returned, even if results do not include it. */
  readonly needsData: boolean
}

/**
 * A wire format.
 *
 * **Details** `decode` never throws, whatever the value is. It fails if the envelope is wrong. If one operation is wrong, the
 * failure becomes the result of that operation, and the operation does not run. `decode` counts the operations before it
 * looks at any of them. `encode` gets a batch in which every operation has a result, and keeps the request order.
 */
export interface Codec<Input> {
  readonly kind: string
  /** Name of the member of the envelope that holds the operations. They are counted while the body is read. */
  readonly list: string
  readonly decode: (envelope: Envelope, options: DecodeOptions) => Result.Result<Batch<Input>, BatchError>
  readonly encode: (batch: Batch<Input>, options: EncodeOptions) => Encoded
  /** Undefined if batches of this format cannot run as jobs. */
  readonly items?: ItemCodec<Input> | undefined
  /** Default: values are stored as JSON; a value that is too large is reduced to its `id`. */
  readonly format?: ValueFormat
}
