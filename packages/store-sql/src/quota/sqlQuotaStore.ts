/**
 * Stores quotas in an SQL database, through Kysely.
 */
import { Gcra, type QuotaStore } from "@multistatus/core/store"
import type { Kysely } from "kysely"

import type { DatabaseDialect } from "../database/DatabaseUrl.ts"
import { optimisticQuota } from "./optimisticQuota.ts"
import { retryTransient } from "../transactions/retryTransient.ts"
import { postgresQuota } from "./postgres.ts"
import type { QuotaDialect } from "./QuotaDialect.ts"
import { openSession, type Session } from "../database/Session.ts"
import { AutoPurge, purgeStep } from "../database/AutoPurge.ts"
import { readPurgeLag } from "../database/purgeLag.ts"
import { checkStoreSchema, explainMissingSchema } from "../database/storeSchema.ts"
import { checkKysely } from "../transactions/checkKysely.ts"

/** Options of `sqlQuotaStore`. */
export interface SqlQuotaOptions {
  /**
   * Whether the store removes expired rows by itself while it is used, in small steps and as fast as they expire. Default
   * true. Set it to false where processes end after a request, and call `purge` from a scheduled task instead.
   */
  readonly purge?: boolean | undefined
}

/** A quota store in an SQL database. */
export interface SqlQuotaStore extends QuotaStore {
  /** Returns the milliseconds for which the oldest of the expired rows has been kept, or 0 without any. For a metric. */
  readonly purgeLag: () => Promise<number>
  /** Rejects with an error that says how to fix the database if it lacks the tables of this release. */
  readonly check: () => Promise<void>
  /** Removes at most `limit` rows of subjects that have their whole quota again. Returns the number of removed rows. */
  readonly purge: (limit: number, now?: number) => Promise<number>
}

/**
 * Makes a quota store in a database. Run `migrate` on the database first.
 *
 * **Details** Each subject has one row. A charge is atomic: on PostgreSQL and PGlite it is one call of a routine; on MySQL,
 * MariaDB and SQLite the row is read and then written if it has not changed, or else read again. The store uses the clock of
 * the database. Charges of one subject wait for each other: one row takes about a thousand charges a second. Use a handle
 * with connections that transactions of batches cannot occupy, such as that of `claims` of the idempotency store. Rows of
 * subjects that have their whole quota again are removed while the store is used.
 */
export const sqlQuotaStore = <DB>(db: Kysely<DB>, { purge = true }: SqlQuotaOptions = {}): SqlQuotaStore => {
  checkKysely(db, "The first argument of sqlQuotaStore")
  const session = explainMissingSchema(openSession(db.withoutPlugins()))
  const store = quotaStoreOn(session, dialects[session.dialect])
  if (!purge) return store
  const autoPurge = new AutoPurge((limit) => store.purge(limit))
  return {
    ...store,
    charge: (charge) => {
      if (charge.now === undefined) autoPurge.note(1)
      return store.charge(charge)
    },
  }
}

/** Makes the store with another dialect, for tests. @internal */
export const quotaStoreOn = (session: Session, dialect: QuotaDialect): SqlQuotaStore => ({
  check: () => checkStoreSchema(session, { table: "multistatus_quota", migration: "0004_quota" }),
  charge: async (charge) => {
    Gcra.checkCharge(charge)
    return retryTransient(() => dialect.charge(session, charge))
  },
  refund: async (refund) => {
    Gcra.checkRefund(refund)
    await retryTransient(() => dialect.refund(session, refund))
  },
  peek: async (subject, rules, fixedNow) => {
    Gcra.checkName(subject, 43)
    Gcra.checkRules(rules)
    const { state, now } = await dialect.look(session, subject, fixedNow)
    return rules.map((rule) =>
      Gcra.standing(rule, Object.hasOwn(state.a, rule.policy) ? state.a[rule.policy] : undefined, now),
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
  purgeLag: () => readPurgeLag(session, "multistatus_quota"),
})

// `utc_timestamp` is not affected by daylight saving time.
const mysqlNow = "coalesce(?, timestampdiff(microsecond, '1970-01-01', utc_timestamp(6)) / 1000)"
const sqliteNow = "coalesce(?, unixepoch('now', 'subsec') * 1000.0)"

const state = "(select state from multistatus_quota where subject = ?)"

const dialects: Readonly<Record<DatabaseDialect, QuotaDialect>> = {
  postgres: postgresQuota,
  pglite: postgresQuota,
  mysql: optimisticQuota({
    look: `select ${mysqlNow} as now, ${state} as state`,
    insert: "insert ignore into multistatus_quota (subject, state, expires_at) values (?, ?, ?)",
    expired: `select subject, expires_at from multistatus_quota where expires_at <= ${mysqlNow} order by expires_at limit ?`,
  }),
  sqlite: optimisticQuota({
    look: `select ${sqliteNow} as now, ${state} as state`,
    insert: "insert into multistatus_quota (subject, state, expires_at) values (?, ?, ?) on conflict do nothing",
    expired: `select subject, expires_at from multistatus_quota where expires_at <= ${sqliteNow} order by expires_at limit ?`,
  }),
}
