/**
 * The tables of the job store. Times are milliseconds since 1970.
 *
 * `sent` counts the chunks of a job that are due or were; `held_key` is its key once it was accepted. Of a chunk,
 * `heard_at` is when something was heard of it last, and null as long as it is not due; `held_by` is the dispatch by which
 * it runs. The one row of
 * `multistatus_job_usage` counts the operations of all jobs that have not ended, and the one row of
 * `multistatus_job_runner`, in SQLite, names the process that runs them.
 */
import type { DatabaseDialect } from "../database/DatabaseUrl.ts"

interface Types {
  readonly id: string
  readonly time: string
  readonly suffix: string
}

const tables = ({ id, time, suffix }: Types): ReadonlyArray<string> => [
  `create table if not exists multistatus_job (
    id ${id} primary key, tenant text, endpoint text not null, settings text not null, wanted_key ${id}, held_key ${id} unique,
    fingerprint text, state text not null, total integer not null default 0, chunks integer not null default 0,
    span integer not null default 0, sent integer not null default 0, succeeded integer not null default 0,
    failed integer not null default 0, skipped integer not null default 0, is_cancelled integer not null default 0,
    created_at ${time} not null, updated_at ${time} not null, expires_at ${time} not null
  )${suffix}`,
  `create index if not exists multistatus_job_expires_at on multistatus_job (expires_at)`,
  `create index if not exists multistatus_job_open on multistatus_job (tenant) where state in ('queued', 'running')`,
  `create table if not exists multistatus_job_chunk (
    job ${id} not null, idx integer not null, first integer not null, operations integer not null, payload text not null,
    state text not null default 'waiting', epoch integer not null default 0, starts integer not null default 0,
    dispatch integer not null default 0, held_by integer not null default 0, heard_at ${time}, results text, code text, unsuccessful integer not null default 0,
    primary key (job, idx)
  )${suffix}`,
  `create index if not exists multistatus_job_chunk_heard_at on multistatus_job_chunk (heard_at)
    where state in ('waiting', 'running') and heard_at is not null`,
  `create table if not exists multistatus_job_part (
    job ${id} not null, chunk integer not null, at integer not null, results text not null, succeeded integer not null,
    failed integer not null, skipped integer not null, primary key (job, chunk, at)
  )${suffix}`,
  `create table if not exists multistatus_job_usage (id integer primary key, operations ${time} not null)${suffix}`,
  `insert into multistatus_job_usage (id, operations) values (1, 0) on conflict (id) do nothing`,
]

const postgres = tables({ id: `text collate "C"`, time: "int8", suffix: "" })

/**
 * The statements that create them, by dialect; each can be run again. MySQL has no jobs.
 *
 * @internal
 */
export const jobMigration: Readonly<Record<Exclude<DatabaseDialect, "mysql">, ReadonlyArray<string>>> = {
  postgres,
  pglite: postgres,
  sqlite: [
    ...tables({ id: "text", time: "integer", suffix: " strict" }),
    `create table if not exists multistatus_job_runner (
      id integer primary key, owner text not null, host text not null, pid integer not null, heard_at integer not null
    ) strict`,
  ],
}
