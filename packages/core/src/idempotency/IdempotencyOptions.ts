/** Options of idempotent retries. */
import type { ResultCodec } from "./StoredResult.ts"
import type { IdempotencyStore } from "./IdempotencyStore.ts"
import { duration, type DurationInput } from "../options/DurationInput.ts"
import type { OptionGroup } from "../options/Option.ts"
import { anyFunction, either, flag, objectWith, oneOf, wholeNumber } from "../options/OptionTypes.ts"

/** How an endpoint recognises retries, and what it stores for them. */
export interface IdempotencyOptions {
  /** The store of keys and results, such as `memoryIdempotencyStore()`. Required. */
  readonly store: IdempotencyStore
  /** How long the store keeps a result. Default `"1 day"`. */
  readonly ttl?: DurationInput | undefined
  /** How long a key stays locked after its process has died; between 100 milliseconds and one hour. Default `"15 seconds"`. */
  readonly lease?: DurationInput | undefined
  /** Whether every operation needs an idempotency key, its own or that of its batch. Default `false`. */
  readonly required?: boolean | undefined
  /**
   * What happens to a batch while the store cannot be reached: `refuse` answers 503, `allow` runs the batch without
   * protection. Default `"refuse"`.
   */
  readonly onStoreError?: "refuse" | "allow" | undefined
  /**
   * Maximum size of a stored result; a larger one is replayed without its data. All results under the key of a batch
   * together are limited to 8 MiB. Default 64 KiB.
   */
  readonly maxResultBytes?: number | undefined
  /**
   * What happens to an operation that began and whose outcome is unknown: with `retry` it may run again after its lease,
   * with `hold` it is answered `OUTCOME_UNKNOWN` until somebody resolves it. A function decides by the action. Default
   * `"retry"`.
   */
  readonly onAmbiguous?: "retry" | "hold" | ((action: string) => "retry" | "hold") | undefined
  /**
   * Whether operations with keys run in transactions that also store their results, so that each happens exactly once.
   * Needs actions that write through `tx`, a `unitOfWork`, and a store in the same database. A number sets how many calls
   * share a transaction; `true` means 25. `false` says that the store is in another database, and no transaction stores
   * results. Default: only the transactions of atomic batches store results.
   */
  readonly sameTransaction?: boolean | number | undefined
  /**
   * Whether the query of the endpoint's URL keeps keys apart, as its path does. Needed where it says whom a batch is for,
   * as in `/batch?org=7`. Default `false`.
   */
  readonly includeQuery?: boolean | undefined
  /** Transforms stored results, for example to encrypt them with `aesGcmResults`. Default none. */
  readonly codec?: ResultCodec | undefined
  /**
   * Set it to `global` to share keys between all tenants. Otherwise a request with keys is refused if `tenant` returns
   * undefined for it. Default none.
   */
  readonly unsafeScope?: "global" | undefined
}

const page = "idempotency.md"

/** Definitions of the options of idempotent retries. */
export const idempotencyOptions = {
  store: { type: objectWith("IdempotencyStore", ["acquire", "settle"]), required: true, page },
  ttl: { type: duration({ maximum: Number.MAX_SAFE_INTEGER }), default: "1 day", page },
  lease: { type: duration({ minimum: 100, maximum: 3_600_000 }), default: "15 seconds", page },
  required: { type: flag, default: false, page },
  onStoreError: { type: oneOf("refuse", "allow"), default: "refuse", page },
  maxResultBytes: { type: wholeNumber(), default: 64 * 1024, unit: "bytes", page },
  onAmbiguous: {
    type: either(oneOf("retry", "hold"), anyFunction<(action: string) => "retry" | "hold">()),
    default: "retry",
    page,
  },
  sameTransaction: {
    type: either(flag, wholeNumber()),
    defaultText: "only the transactions of atomic batches store results",
    unit: "calls",
    page,
  },
  includeQuery: { type: flag, default: false, page },
  codec: { type: objectWith("ResultCodec", ["encode", "decode"]), page },
  unsafeScope: { type: oneOf("global"), page },
} satisfies OptionGroup<IdempotencyOptions>
