/**
 * The table of the quota store, with one row per subject, and the routines on PostgreSQL.
 *
 * `state` is JSON. `a` has the arrival time of each policy, `r` has the ids of refunded charges and the time until which each
 * is stored. Times are milliseconds since 1970.
 */
import type { DatabaseDialect } from "../database/DatabaseUrl.ts"
import { postgresQuotaRoutines } from "./postgresRoutines.ts"

const postgres = [
  `create table if not exists multistatus_quota (
    subject text collate "C" primary key,
    state jsonb not null,
    expires_at int8 not null
  ) with (fillfactor = 50)`,
  // The index does not cover the state, so a change of the state alone adds no index entry.
  `create index if not exists multistatus_quota_expires_at on multistatus_quota (expires_at)`,
  ...postgresQuotaRoutines,
]

/**
 * The statements that create the table and the routines, by dialect. Each can be run again.
 *
 * @internal
 */
export const quotaMigration: Readonly<Record<DatabaseDialect, ReadonlyArray<string>>> = {
  postgres,
  pglite: postgres,
  mysql: [
    `create table if not exists multistatus_quota (
      subject varchar(64) character set ascii collate ascii_bin primary key,
      state longtext character set utf8mb4 collate utf8mb4_bin not null,
      expires_at bigint not null,
      index (expires_at)
    ) engine = innodb`,
  ],
  sqlite: [
    `create table if not exists multistatus_quota (
      subject text primary key not null, state text not null, expires_at integer not null
    ) strict`,
    `create index if not exists multistatus_quota_expires_at on multistatus_quota (expires_at)`,
  ],
}
