/**
 * How batches look on the wire: a body in, operations out; results in, a body out.
 *
 * To add a wire format, implement `Codec` and run `CodecContract` against it.
 */
import type * as Result from "effect/Result"
import type { Batch } from "./Batch.ts"
import type { BatchError } from "./BatchError.ts"
import type { Limits } from "./Limits.ts"
import type { Operation } from "./Operation.ts"
import type { Outcome } from "./OperationResult.ts"
import type { Strategy, StrategyOffer } from "./Strategy.ts"

/** A request body that has been read and parsed. */
export interface Envelope {
  readonly value: unknown
  /** The text that `value` was parsed from; undefined where the host parsed it. */
  readonly text: string | undefined
  /** Bytes of the body; undefined where they are not known. */
  readonly bytes: number | undefined
}

/** What decoding has to keep to. */
export interface DecodeOptions {
  readonly limits: Limits
  readonly strategy: StrategyOffer
}

/** Which results the answer lists. */
export type Listing = "all" | "failed" | "failed+ids"

/** What the client prefers (RFC 7240, section 4.2). */
export type ReturnPreference = "minimal" | "representation"

/** What encoding has to keep to. */
export interface EncodeOptions {
  readonly responseBytes: number | undefined
  readonly prefer: ReturnPreference | undefined
}

/**
 * How what operations returned is kept as JSON, to be replayed, and what makes an operation the same as an earlier one.
 *
 * **Details** `stub` is what is left of a value that is too large to be kept, or is no JSON. `fromJson` is given
 * undefined where nothing was kept, and how the operation ended; it throws at what it did not write. `purpose` is what two uses of one idempotency
 * key must have in common beside the action, as JSON; default: the `id` and the `input`.
 */
export interface ValueFormat {
  readonly toJson: (value: unknown) => unknown
  readonly fromJson: (json: unknown, outcome: Outcome) => unknown
  readonly stub: (value: unknown) => unknown
  readonly purpose?: ((operation: Operation) => unknown) | undefined
}

/** How one result is written. */
export interface EncodeResultOptions {
  readonly index: number
  /** Default: as the format is configured. */
  readonly data: boolean | undefined
}

/** An encoded answer. */
export interface Encoded {
  readonly status: number
  /** JSON. */
  readonly body: string
  /** Whether the preference of the client made a difference to the answer. */
  readonly preferenceApplied: boolean
  /** Whole seconds after which a retry makes sense, for the header `Retry-After`. */
  readonly retryAfter?: number | undefined
}

/**
 * A wire format.
 *
 * **Details** `decode` never throws, whatever the value is, and refuses what is wrong with the envelope; what is
 * wrong with one operation becomes that operation's result, and it is not run. It counts before it looks at any
 * operation. `encode` is given a batch whose operations all have a result, and keeps request order.
 */
export interface Codec<Input> {
  readonly kind: string
  /** Member of the envelope that holds the operations; they are counted there while the body is read. */
  readonly list: string
  readonly decode: (envelope: Envelope, options: DecodeOptions) => Result.Result<Batch<Input>, BatchError>
  readonly encode: (batch: Batch<Input>, options: EncodeOptions) => Encoded
  /**
   * One result by itself, as JSON; its operation stands at `index`. `data`: whether a success carries what the action
   * returned. Undefined where batches of this format cannot run later: their answers are not made of single results.
   */
  readonly encodeResult?: ((operation: Operation, options: EncodeResultOptions) => string) | undefined
  /**
   * The answer of a batch that has run, from its results as `encodeResult` wrote them, all of them in order. There
   * wherever `encodeResult` is.
   */
  readonly encodeResults?:
    | ((results: ReadonlyArray<string>, strategy: Strategy, options: EncodeOptions) => Encoded)
    | undefined
  /** Default: values are kept as the JSON they are, and of those that are too large the `id`. */
  readonly format?: ValueFormat
}
