/**
 * Stores idempotency claims and results in an SQL database, through Kysely.
 */
import type { Acquired, IdempotencyStore, IdempotencyTimes, Settled } from "@multistatus/core/store"
import type { Kysely } from "kysely"

import type { DatabaseDialect } from "../database/DatabaseUrl.ts"
import type { IdempotencyDialect } from "./IdempotencyDialect.ts"
import { mysqlIdempotency } from "./mysql.ts"
import { retryTransient } from "../transactions/retryTransient.ts"
import { postgresIdempotency, postgresIdempotencyTexts } from "./postgres.ts"
import { openSession, type Session } from "../database/Session.ts"
import { checkKysely } from "../transactions/checkKysely.ts"
import { AutoPurge, purgeStep } from "../database/AutoPurge.ts"
import { readPurgeLag } from "../database/purgeLag.ts"
import { checkStoreSchema, explainMissingSchema } from "../database/storeSchema.ts"
import { sqliteIdempotency } from "./sqlite.ts"

/** Options of `sqlIdempotencyStore`. */
export interface SqlIdempotencyOptions<DB> {
  /**
   * The database handle for claims and their heartbeats, which run outside of transactions. Default: the store's database.
   * On PostgreSQL and MySQL use a separate pool of two connections. Otherwise transactions can occupy all connections,
   * heartbeats wait, and claims expire.
   */
  readonly claims?: Kysely<DB> | undefined
  /**
   * Whether the store removes expired records by itself while it is used, in small steps and as fast as they expire. Default
   * true. Set it to false where processes end after a request, and call `purge` from a scheduled task instead.
   */
  readonly purge?: boolean | undefined
}

/** Properties of a database that matter to claims. */
export interface SqlIdempotencyCapabilities {
  /**
   * Whether claims can be made and extended while a transaction is open. With a single connection they cannot: a heartbeat
   * would wait for the end of the transaction, so a lease must be longer than a transaction. Other batches of the process
   * wait, too. A claim that another process takes over in the meantime is safe, because `settleIn` is then refused.
   */
  readonly claimsInTransactions: boolean
  /**
   * Number of statements, and so of round trips, of a call with any number of keys: `alone` without concurrent claims of
   * the same keys, `most` as the maximum. MySQL, which has no RETURNING, acquires with five statements instead of one.
   */
  readonly statements: { readonly [Call in "acquire" | "settle"]: { readonly alone: number; readonly most: number } }
}

/** An idempotency store that can settle claims inside transactions. */
export interface SqlIdempotencyStore extends IdempotencyStore {
  /** Settles claims in a transaction of the batch, so results commit together with the changes of their operations. */
  readonly settleIn: NonNullable<IdempotencyStore["settleIn"]>
  /** Returns the milliseconds for which the oldest of the expired records has been kept, or 0 without any. For a metric. */
  readonly purgeLag: () => Promise<number>
  /** Rejects with an error that says how to fix the database if it lacks the tables of this release. */
  readonly check: () => Promise<void>
  /** Properties of the database that matter to claims. */
  readonly capabilities: SqlIdempotencyCapabilities
}

/**
 * Makes an idempotency store in a database. Run `migrate` on the database first.
 *
 * **Details** The store uses the clock of the database. A key that another transaction is settling is `in-progress`, and the
 * call does not wait for it (MariaDB waits up to two seconds, MySQL up to `innodb_lock_wait_timeout`). Transient errors, such
 * as deadlocks, are retried, except in `settleIn`, where they have ended the transaction. With an isolation level above
 * `read committed`, a heartbeat between the start of a transaction and `settleIn` causes a transient error. Expired records are removed while the
 * store is used.
 *
 * **Gotchas** Call `settleIn` once, at the end of a transaction, because it locks the keys until the transaction ends. On
 * MySQL and MariaDB a single result or chunk must be smaller than `max_allowed_packet`.
 */
export const sqlIdempotencyStore = <DB>(
  db: Kysely<DB>,
  { claims = db, purge = true }: SqlIdempotencyOptions<DB> = {},
): SqlIdempotencyStore => {
  checkKysely(db, "The first argument of sqlIdempotencyStore")
  if (claims !== db) checkKysely(claims, 'The option "claims" of sqlIdempotencyStore')
  const session = explainMissingSchema(openSession(claims.withoutPlugins()))
  const store = idempotencyStoreOn(session, dialects[session.dialect])
  if (!purge) return store
  const autoPurge = new AutoPurge((limit) => store.purge(limit))
  return {
    ...store,
    acquire: (items, times) => {
      if (times.now === undefined) autoPurge.note(items.length)
      return store.acquire(items, times)
    },
  }
}

/** Makes the store with other statements, for tests. @internal */
export const idempotencyStoreOn = (session: Session, dialect: IdempotencyDialect): SqlIdempotencyStore => ({
  capabilities: capabilities[session.dialect],
  check: () => checkStoreSchema(session, { table: "multistatus_idempotency", migration: "0003_idempotency" }),
  acquire: (items, times) => {
    const rounded = roundTimes(times)
    return retryTransient(() => askTwice(items, (subset) => dialect.acquire(session, subset, rounded), busy))
  },
  settle: (items, times) => {
    const rounded = roundTimes(times)
    return retryTransient(() => askTwice(items, (subset) => dialect.settle(session, subset, rounded), refused))
  },
  settleIn: async (transaction, items, times) => {
    const inside = explainMissingSchema(openSession((transaction as Kysely<unknown>).withoutPlugins()))
    if (!inside.inTransaction)
      throw new TypeError("Results must be settled in a transaction: pass a Kysely transaction to settleIn")
    return askTwice(items, (subset) => dialect.settle(inside, subset, roundTimes(times)), refused)
  },
  peek: (key, now) => dialect.peek(session, key, now),
  resolve: (key, decision, now) => {
    const { result, resultTtlMs } = decision === "forget" ? { result: undefined, resultTtlMs: undefined } : decision
    const state = result === undefined ? "released" : "done"
    return retryTransient(() =>
      dialect.resolve(session, key, { state, payload: result ?? "", ttlMs: resultTtlMs }, now),
    )
  },
  purge: async (limit, now) => {
    for (let removed = 0; ;) {
      const step = Math.min(limit - removed, purgeStep)
      const purged = step > 0 ? await retryTransient(() => dialect.purge(session, step, now)) : 0
      removed += purged
      if (purged < purgeStep) return removed
    }
  },
  purgeLag: () => readPurgeLag(session, "multistatus_idempotency"),
})

const postgres = postgresIdempotency(postgresIdempotencyTexts)

const dialects: Readonly<Record<DatabaseDialect, IdempotencyDialect>> = {
  postgres,
  pglite: postgres,
  mysql: mysqlIdempotency,
  sqlite: sqliteIdempotency,
}

const oneCall = { alone: 1, most: 2 }
const stepwise = { acquire: { alone: 1, most: 4 }, settle: { alone: 1, most: 10 } }

const capabilities: Readonly<Record<DatabaseDialect, SqlIdempotencyCapabilities>> = {
  postgres: { claimsInTransactions: true, statements: { acquire: oneCall, settle: oneCall } },
  pglite: { claimsInTransactions: false, statements: { acquire: oneCall, settle: oneCall } },
  mysql: { claimsInTransactions: true, statements: stepwise },
  sqlite: { claimsInTransactions: false, statements: stepwise },
}

// Another call is claiming or settling the key at this moment.
const busy: Acquired = { _tag: "in-progress", retryAfterMs: 50 }

// Another owner has taken over the key.
const refused: Settled = "refused"

// The second attempt sees the changes that concurrent transactions have committed since the first.
const askTwice = async <Item, Answer>(
  items: ReadonlyArray<Item>,
  ask: (items: ReadonlyArray<Item>) => Promise<ReadonlyArray<Answer | undefined>>,
  defaultAnswer: Answer,
): Promise<ReadonlyArray<Answer>> => {
  if (items.length === 0) return []
  const first = await ask(items)
  if (!first.includes(undefined)) return first as ReadonlyArray<Answer>
  const unanswered = items.filter((_, index) => first[index] === undefined)
  const second = (await ask(unanswered)).values()
  return first.map((answer) => answer ?? second.next().value ?? defaultAnswer)
}

const roundTimes = (times: IdempotencyTimes): IdempotencyTimes => ({
  owner: times.owner,
  leaseMs: Math.round(times.leaseMs),
  pendingTtlMs: Math.round(times.pendingTtlMs),
  resultTtlMs: Math.round(times.resultTtlMs),
  now: times.now === undefined ? undefined : Math.round(times.now),
})
