/** How an application configures that retries are recognised: every option with its default, checked at start-up. */
import * as Schema from "effect/Schema"
import type { IdempotencySettings } from "./IdempotencySettings.ts"
import type { ResultCodec } from "./StoredResult.ts"
import type { IdempotencyStore } from "./IdempotencyStore.ts"
import { AnyFunction, withMethods } from "../options/OptionSchemas.ts"

/** How an application has retries recognised. */
export interface IdempotencyOptions {
  readonly store: IdempotencyStore
  /** Seconds that results are kept, from when they are stored. Default 86,400: a day. */
  readonly ttlSeconds?: number | undefined
  /** Milliseconds that keys stay taken after their holder crashed. Default 15,000. */
  readonly leaseMs?: number | undefined
  /** Whether every operation needs a key of its own, or its batch one. Default false. */
  readonly required?: boolean | undefined
  /** Whether batches run without protection when the store cannot be reached. Default false: they are answered 503. */
  readonly failOpen?: boolean | undefined
  /**
   * Bytes that the result of one operation may have. Larger ones are replayed without their data, and so are those
   * beyond 8 MiB under one key of a batch. Default 65,536.
   */
  readonly maxResultBytes?: number | undefined
  /**
   * What the end of a lease without a result means: `retry` (default), the operation may be run again; `hold`, nobody may,
   * and the answer is `OUTCOME_UNKNOWN` until somebody resolves it. A value, or a function of the operation's action.
   */
  readonly onAmbiguous?: "retry" | "hold" | ((action: string) => "retry" | "hold") | undefined
  /**
   * Whether operations with keys run in transactions of the unit of work that also store their results: whatever crashes,
   * each has happened exactly once. For actions that write through `tx`, and a store in the same database. A number says
   * how many calls share a transaction, `true` 25. Default: only what is atomic does, where the store can settle in
   * transactions; the rest is stored after it has ended. `false` for a store in another database: nothing does.
   */
  readonly sameTransaction?: boolean | number | undefined
  /** Encrypts what is stored (see `aesGcmResults`), or leaves things out. Default: stored as it is. */
  readonly codec?: ResultCodec | undefined
  /**
   * Set to `global` where keys are not to be kept apart by caller. Otherwise a request with keys of which `tenant` does
   * not know who is calling is refused.
   */
  readonly unsafeScope?: "global" | undefined
}

const positive = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))

/** What options have to be. */
export const Options = Schema.Struct({
  store: withMethods("acquire", "settle"),
  ttlSeconds: Schema.optional(positive),
  leaseMs: Schema.optional(Schema.Int.check(Schema.isBetween({ minimum: 100, maximum: 3_600_000 }))),
  required: Schema.optional(Schema.Boolean),
  failOpen: Schema.optional(Schema.Boolean),
  maxResultBytes: Schema.optional(positive),
  onAmbiguous: Schema.optional(Schema.Union([Schema.Literals(["retry", "hold"]), AnyFunction])),
  sameTransaction: Schema.optional(Schema.Union([Schema.Boolean, positive])),
  codec: Schema.optional(withMethods("encode", "decode")),
  unsafeScope: Schema.optional(Schema.Literal("global")),
})

/** Fills in defaults; throws a `TypeError` where keys could be seen by other callers. */
export const resolveOptions = (
  options: IdempotencyOptions | undefined,
  { hasTenant, hasUnitOfWork }: { readonly hasTenant: boolean; readonly hasUnitOfWork: boolean },
): IdempotencySettings | undefined => {
  if (options === undefined) return undefined
  if (!hasTenant && options.unsafeScope !== "global") {
    throw new TypeError(
      `"idempotency" needs to know who is calling, or one caller would be shown the results of another: configure "tenant"`,
    )
  }
  const { onAmbiguous = "retry", sameTransaction } = options
  if (
    sameTransaction !== undefined &&
    sameTransaction !== false &&
    (!hasUnitOfWork || options.store.settleIn === undefined)
  ) {
    throw new TypeError(
      `"idempotency.sameTransaction" needs a "unitOfWork", and a store that settles in its transactions, such as the SQL store`,
    )
  }
  return {
    store: sameTransaction === false ? apart(options.store) : options.store,
    ttlMs: (options.ttlSeconds ?? 86_400) * 1000,
    leaseMs: options.leaseMs ?? 15_000,
    required: options.required ?? false,
    failOpen: options.failOpen ?? false,
    maxResultBytes: options.maxResultBytes ?? 65_536,
    onAmbiguous: typeof onAmbiguous === "function" ? ({ action }) => onAmbiguous(action) : () => onAmbiguous,
    sameTransaction: sameTransaction === true ? 25 : sameTransaction === false ? undefined : sameTransaction,
    codec: options.codec,
    scope: options.unsafeScope ?? "tenant",
  }
}

// A store that is in another database must not be handed transactions of this one.
const apart = (store: IdempotencyStore): IdempotencyStore => ({
  acquire: (items, times) => store.acquire(items, times),
  settle: (items, times) => store.settle(items, times),
  peek: (key, now) => store.peek(key, now),
  resolve: (key, decision, now) => store.resolve(key, decision, now),
  purge: (limit, now) => store.purge(limit, now),
})
