/**
 * Quotas in an SQL database, through Kysely, for any number of processes.
 */
import { Gcra, type QuotaStore } from "@multistatus/core/store"
import type { Kysely } from "kysely"

import type { DatabaseDialect } from "../database/DatabaseUrl.ts"
import { optimisticQuota } from "./optimisticQuota.ts"
import { retryTransient } from "../transactions/retryTransient.ts"
import { postgresQuota } from "./postgres.ts"
import type { QuotaDialect } from "./QuotaDialect.ts"
import { openSession, type Session } from "../database/Session.ts"

/** A store of quotas in a database. */
export interface SqlQuotaStore extends QuotaStore {
  /** Removes at most `limit` rows of subjects that have their whole quota again; how many it removed. */
  readonly purge: (limit: number, now?: number) => Promise<number>
}

/**
 * Makes the quota store of a database. `migrate` has to have been run on it.
 *
 * **Details** A subject is one row, and a charge one atomic step: one call of a routine on PostgreSQL and PGlite; on
 * MySQL, MariaDB and SQLite the row is read, and written if it is still what was read, or read again. Time is the database's. Charges of one subject wait for each
 * other: about a thousand a second go through one row, many more through many. Give it a handle whose connections are not
 * all held by transactions of batches, as `claims` of the idempotency store is.
 */
export const sqlQuotaStore = <DB>(db: Kysely<DB>): SqlQuotaStore => {
  const session = openSession(db.withoutPlugins())
  return quotaStoreOn(session, dialects[session.dialect])
}

/** The store on statements of one's own, for tests of them. @internal */
export const quotaStoreOn = (session: Session, dialect: QuotaDialect): SqlQuotaStore => ({
  charge: async (charge) => {
    Gcra.checkCharge(charge)
    return retryTransient(() => dialect.charge(session, charge))
  },
  refund: async (refund) => {
    Gcra.checkRefund(refund)
    await retryTransient(() => dialect.refund(session, refund))
  },
  peek: async (subject, rules, given) => {
    Gcra.checkName(subject, 43)
    Gcra.checkRules(rules)
    const { state, now } = await dialect.look(session, subject, given)
    return rules.map((rule) =>
      Gcra.standing(rule, Object.hasOwn(state.a, rule.policy) ? state.a[rule.policy] : undefined, now),
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

/** Rows that are removed, and so locked, at once. */
const purgeStep = 1000

// `utc_timestamp` knows no time zone, and so no hour that comes twice.
const mysqlNow = "coalesce(?, timestampdiff(microsecond, '1970-01-01', utc_timestamp(6)) / 1000)"
const sqliteNow = "coalesce(?, unixepoch('now', 'subsec') * 1000.0)"

const state = "(select state from multistatus_quota where subject = ?)"

const dialects: Readonly<Record<DatabaseDialect, QuotaDialect>> = {
  postgres: postgresQuota,
  pglite: postgresQuota,
  mysql: optimisticQuota({
    look: `select ${mysqlNow} as now, ${state} as state`,
    insert: "insert ignore into multistatus_quota (subject, state, expires_at) values (?, ?, ?)",
    expired: `select subject, expires_at from multistatus_quota where expires_at <= ${mysqlNow} order by subject limit ?`,
  }),
  sqlite: optimisticQuota({
    look: `select ${sqliteNow} as now, ${state} as state`,
    insert: "insert into multistatus_quota (subject, state, expires_at) values (?, ?, ?) on conflict do nothing",
    expired: `select subject, expires_at from multistatus_quota where expires_at <= ${sqliteNow} order by subject limit ?`,
  }),
}
