/**
 * Claims and results in an SQL database, through Kysely; results commit with what they are the results of.
 */
import type { Acquired, IdempotencyStore, IdempotencyTimes, Settled } from "@multistatus/core/store"
import type { Kysely } from "kysely"

import type { DatabaseDialect } from "../database/DatabaseUrl.ts"
import type { IdempotencyDialect } from "./IdempotencyDialect.ts"
import { mysqlIdempotency } from "./mysql.ts"
import { retryTransient } from "../transactions/retryTransient.ts"
import { postgresIdempotency, postgresIdempotencyTexts } from "./postgres.ts"
import { openSession, type Session } from "../database/Session.ts"
import { sqliteIdempotency } from "./sqlite.ts"

/** How claims are kept. */
export interface SqlIdempotencyOptions<DB> {
  /**
   * The handle that claims are made and extended on, apart from transactions. Default: the database itself. On PostgreSQL
   * and MySQL a pool of its own, of two connections, keeps transactions that hold every connection of the other pool from
   * starving heartbeats, and so from losing their claims.
   */
  readonly claims?: Kysely<DB> | undefined
}

/** What a database can do for claims. */
export interface SqlIdempotencyCapabilities {
  /**
   * Whether claims can be made and extended while a transaction is open. Where there is one connection they cannot: a
   * heartbeat would wait for the transaction to end, so none need be sent, and a lease must outlast a transaction. Rivals
   * in the same process wait for it as well; those of other processes are kept out by `settleIn`, which is refused when
   * the claim was lost.
   */
  readonly claimsInTransactions: boolean
  /**
   * Statements, each a round trip, that calls take whatever the number of keys: where no rival is in the way, and at most.
   * MySQL, which unlike MariaDB does not answer with the rows it writes, acquires in one transaction, with five for one.
   */
  readonly statements: { readonly [Call in "acquire" | "settle"]: { readonly alone: number; readonly most: number } }
}

/** A store of claims and results that settles inside transactions. */
export interface SqlIdempotencyStore extends IdempotencyStore {
  readonly settleIn: NonNullable<IdempotencyStore["settleIn"]>
  readonly capabilities: SqlIdempotencyCapabilities
}

/**
 * Makes the idempotency store of a database. `migrate` has to have been run on it.
 *
 * **Details** Time is the database's. Nobody waits for a key that another transaction is settling: it is `in-progress`
 * (MariaDB waits for a second at most, MySQL as long as `innodb_lock_wait_timeout` says). Statements that rivals make fail
 * are sent again, except in `settleIn`, where the transaction has failed with them. With an isolation level above `read
 * committed`, a heartbeat that comes between the beginning of a transaction and `settleIn` makes it fail with an error that
 * `isTransient` knows.
 *
 * **Gotchas** Settle in a transaction once, as the last thing: until it ends, the keys are locked. On MySQL and MariaDB a
 * call for more than `max_allowed_packet` fails; results and chunks are sent in portions, so this concerns single ones.
 */
export const sqlIdempotencyStore = <DB>(
  db: Kysely<DB>,
  { claims = db }: SqlIdempotencyOptions<DB> = {},
): SqlIdempotencyStore => {
  const session = openSession(claims.withoutPlugins())
  return idempotencyStoreOn(session, dialects[session.dialect])
}

/** The store on statements of one's own, for tests of them. @internal */
export const idempotencyStoreOn = (session: Session, dialect: IdempotencyDialect): SqlIdempotencyStore => ({
  capabilities: capabilities[session.dialect],
  acquire: (items, times) => {
    const whole = inWholeMs(times)
    return retryTransient(() => asked(items, (some) => dialect.acquire(session, some, whole), busy))
  },
  settle: (items, times) => {
    const whole = inWholeMs(times)
    return retryTransient(() => asked(items, (some) => dialect.settle(session, some, whole), refused))
  },
  settleIn: async (transaction, items, times) => {
    const inside = openSession((transaction as Kysely<unknown>).withoutPlugins())
    if (!inside.inTransaction) throw new TypeError("Results are settled in a transaction of Kysely's")
    return asked(items, (some) => dialect.settle(inside, some, inWholeMs(times)), refused)
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
      const gone = step > 0 ? await retryTransient(() => dialect.purge(session, step, now)) : 0
      removed += gone
      if (gone < purgeStep) return removed
    }
  },
})

const postgres = postgresIdempotency(postgresIdempotencyTexts)

const dialects: Readonly<Record<DatabaseDialect, IdempotencyDialect>> = {
  postgres,
  pglite: postgres,
  mysql: mysqlIdempotency,
  sqlite: sqliteIdempotency,
}

const once = { alone: 1, most: 2 }
const stepwise = { acquire: { alone: 1, most: 4 }, settle: { alone: 1, most: 10 } }

const capabilities: Readonly<Record<DatabaseDialect, SqlIdempotencyCapabilities>> = {
  postgres: { claimsInTransactions: true, statements: { acquire: once, settle: once } },
  pglite: { claimsInTransactions: false, statements: { acquire: once, settle: once } },
  mysql: { claimsInTransactions: true, statements: stepwise },
  sqlite: { claimsInTransactions: false, statements: stepwise },
}

/** Rows that are removed, and so locked, at once. */
const purgeStep = 1000

// Somebody is claiming the key at this moment, or has claimed it and is settling.
const busy: Acquired = { _tag: "in-progress", retryAfterMs: 50 }

// Somebody has claimed a key anew that this owner had lost.
const refused: Settled = "refused"

// What a rival has committed meanwhile is seen by the second look.
const asked = async <Item, Answer>(
  items: ReadonlyArray<Item>,
  ask: (items: ReadonlyArray<Item>) => Promise<ReadonlyArray<Answer | undefined>>,
  otherwise: Answer,
): Promise<ReadonlyArray<Answer>> => {
  if (items.length === 0) return []
  const first = await ask(items)
  if (!first.includes(undefined)) return first as ReadonlyArray<Answer>
  const left = items.filter((_, index) => first[index] === undefined)
  const second = (await ask(left)).values()
  return first.map((answer) => answer ?? second.next().value ?? otherwise)
}

const inWholeMs = (times: IdempotencyTimes): IdempotencyTimes => ({
  owner: times.owner,
  leaseMs: Math.round(times.leaseMs),
  pendingTtlMs: Math.round(times.pendingTtlMs),
  resultTtlMs: Math.round(times.resultTtlMs),
  now: times.now === undefined ? undefined : Math.round(times.now),
})
