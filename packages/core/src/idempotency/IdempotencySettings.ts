/** The settings of idempotent retries. */
import type { Operation } from "../batch/Operation.ts"
import type { SettingsOf } from "../options/Option.ts"
import { settingsOf } from "../options/settingsOf.ts"
import { type IdempotencyOptions, idempotencyOptions } from "./IdempotencyOptions.ts"
import type { IdempotencyStore } from "./IdempotencyStore.ts"

/** How an endpoint recognises retries, with defaults filled in. */
export interface IdempotencySettings extends Omit<
  SettingsOf<IdempotencyOptions, typeof idempotencyOptions>,
  "onAmbiguous" | "sameTransaction" | "unsafeScope"
> {
  /** Whether an operation may run again after its lease has expired without a result. */
  readonly onAmbiguous: (operation: Operation) => "retry" | "hold"
  /** Calls that share a transaction, which also stores their results; undefined if results are stored afterwards. */
  readonly sameTransaction: number | undefined
  /** Whether each tenant has keys of its own. If so, a caller without a tenant has none. */
  readonly scope: "tenant" | "global"
}

/** Calls that share a transaction if `sameTransaction` is `true`. */
const defaultTransactionSize = 25

/**
 * Makes settings of options that were checked.
 *
 * **Details** Throws a `TypeError` if the options need another one: `tenant`, without which one caller could read the
 * results of another, or a `unitOfWork`.
 */
export const resolveOptions = (
  options: IdempotencyOptions,
  { hasTenant, hasUnitOfWork }: { readonly hasTenant: boolean; readonly hasUnitOfWork: boolean },
): IdempotencySettings => {
  if (!hasTenant && options.unsafeScope !== "global") {
    throw new TypeError(
      `"idempotency" needs "tenant": without it, one caller could read the stored results of another. ` +
        `To share keys between all callers, set "idempotency.unsafeScope" to "global"`,
    )
  }
  const { onAmbiguous, sameTransaction, unsafeScope, ...settings } = settingsOf(idempotencyOptions, options)
  const canShareTransaction = hasUnitOfWork && settings.store.settleIn !== undefined
  if (sameTransaction !== undefined && sameTransaction !== false && !canShareTransaction) {
    throw new TypeError(
      `"idempotency.sameTransaction" needs a "unitOfWork" and a store in its database, such as sqlIdempotencyStore(db)`,
    )
  }
  return {
    ...settings,
    store: sameTransaction === false ? withoutTransactions(settings.store) : settings.store,
    onAmbiguous: typeof onAmbiguous === "function" ? ({ action }) => onAmbiguous(action) : () => onAmbiguous,
    sameTransaction: sameTransaction === true ? defaultTransactionSize : sameTransaction || undefined,
    scope: unsafeScope ?? "tenant",
  }
}

// A store in another database must not get transactions of this one.
const withoutTransactions = (store: IdempotencyStore): IdempotencyStore => ({
  acquire: (items, times) => store.acquire(items, times),
  settle: (items, times) => store.settle(items, times),
  peek: (key, now) => store.peek(key, now),
  resolve: (key, decision, now) => store.resolve(key, decision, now),
  purge: (limit, now) => store.purge(limit, now),
})

/**
 * Milliseconds in which the store has to answer: a third of the lease, so that one heartbeat may fail, but at least a
 * second.
 */
export const answerMs = ({ leaseMs }: Pick<IdempotencySettings, "leaseMs">): number => Math.max(1000, leaseMs / 3)
