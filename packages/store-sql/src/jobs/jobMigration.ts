/**
 * The tables of the job store. Times are milliseconds since 1970.
 *
 * - `multistatus_job`: `span` is the window, `sent` the number of chunks that are, or were, due. `wanted_key` is the key of the
 *   job, and `held_key` the same once the job is accepted.
 * - `multistatus_job_chunk`: `heard_at` is the time of the last sign of life, null before the chunk is due. `held_by` is the
 *   dispatch that holds a running chunk. `unsuccessful` counts the operations that did not succeed.
 * - `multistatus_job_part`: results of chunks that have not ended.
 * - `multistatus_job_usage`: one row with the number of unfinished operations of all jobs.
 * - `multistatus_job_runner`: one row that names the process that runs the jobs of an SQLite file.
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

/** The statements that create them, by dialect. MySQL has no jobs. @internal */
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

// The outcome of each result becomes a character of its own column, instead of being counted.
const outcomes = (outcomesOfResults: string): ReadonlyArray<string> => [
  `alter table multistatus_job_chunk add column outcomes text`,
  `update multistatus_job_chunk set outcomes = (${outcomesOfResults}) where results is not null`,
  `alter table multistatus_job_part add column outcomes text not null default ''`,
  `update multistatus_job_part set outcomes = (${outcomesOfResults})`,
  ...["succeeded", "failed", "skipped"].map((name) => `alter table multistatus_job_part drop column ${name}`),
]

const character = (status: string) => `case ${status} when 'success' then 's' when 'skipped' then '-' else 'f' end`

// Not by the functions for JSON, which reject the escape sequence of U+0000.
const postgresOutcomes = outcomes(`
  select string_agg(${character(`substring(line from '"status":"([a-z]+)"')`)}, '' order by number)
  from unnest(string_to_array(results, chr(10))) with ordinality as lines (line, number)`)

/** The statements that store outcomes beside results, by dialect. @internal */
export const jobOutcomesMigration: typeof jobMigration = {
  postgres: postgresOutcomes,
  pglite: postgresOutcomes,
  sqlite: outcomes(`
    select group_concat(outcome, '') from (
      select ${character("json_extract(value, '$.status')")} as outcome
      from json_each('[' || replace(results, char(10), ',') || ']') order by key
    )`),
}
