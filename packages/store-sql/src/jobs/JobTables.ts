/**
 * The statements of the job store, each for one purpose, on an open transaction.
 */
import type {
  ChunkHold,
  ChunkPart,
  ChunkRef,
  JobExtent,
  JobState,
  JobTally,
  NewChunk,
  NewJob,
} from "@multistatus/core/store"
import { type Kysely, type RawBuilder, sql } from "kysely"

import type { DatabaseDialect } from "../database/DatabaseUrl.ts"
import type { ChunkRow, JobRow, PartRow } from "./JobRows.ts"

/**
 * What is done for every chunk is planned once. Not for statements that answer with all columns of a table: they fail on a
 * connection that has prepared them before a migration adds one.
 *
 * @internal
 */
export const prepared = sql.raw("/* multistatus prepare */")

/** Rows that one statement inserts: SQLite takes so many parameters and no more. */
const rowsAtOnce = 1000

/** A job at a time, in milliseconds since 1970. @internal */
export interface TimedJob extends JobRow {
  readonly now: number
}

/** @internal */
export type SentChunk = Pick<ChunkRow, "idx" | "dispatch">

/** What has changed of a job. @internal */
export interface JobNews {
  readonly tally: JobTally
  readonly state: JobState
  readonly isCancelled: boolean
  readonly expiresAt: number
  readonly updatedAt: number
}

/** @internal */
export class JobTables {
  readonly db: Kysely<unknown>
  /** Whether there are row locks. */
  readonly locks: boolean

  constructor(db: Kysely<unknown>, dialect: DatabaseDialect) {
    this.db = db
    // SQLite has no row locks and needs none: it has one writer.
    this.locks = dialect !== "sqlite"
  }

  /** The time, unless it is given. */
  async now(given: number | undefined): Promise<number> {
    if (given !== undefined) return given
    return Number((await sql<{ now: number }>`select ${this.clock(given)} as now`.execute(this.db)).rows[0]!.now)
  }

  /** A job, which nobody else changes until the transaction has ended, and the time. */
  async lock(id: string, given: number | undefined): Promise<TimedJob | undefined> {
    const lock = this.locks ? sql`for update` : sql``
    const { rows } = await sql<TimedJob>`
      select job.*, ${this.clock(given)} as now from multistatus_job job where id = ${id} ${lock}
    `.execute(this.db)
    return rows[0] && { ...rows[0], now: Number(rows[0].now) }
  }

  /** The time within a statement. */
  clock(given: number | undefined): RawBuilder<number> {
    if (given !== undefined) return this.locks ? sql<number>`${given}::float8` : sql<number>`${given}`
    return this.locks
      ? sql<number>`floor(extract(epoch from clock_timestamp()) * 1000)::float8`
      : sql<number>`cast(unixepoch('now', 'subsec') * 1000 as integer)`
  }

  /** A job as it is, and the time. */
  async find(id: string, given: number | undefined): Promise<TimedJob | undefined> {
    const { rows } = await sql<TimedJob>`
      select job.*, ${this.clock(given)} as now from multistatus_job job where id = ${id}
    `.execute(this.db)
    return rows[0] && { ...rows[0], now: Number(rows[0].now) }
  }

  async holderOf(key: string): Promise<JobRow | undefined> {
    return (await sql<JobRow>`select * from multistatus_job where held_key = ${key}`.execute(this.db)).rows[0]
  }

  async insert({ id, tenant, endpoint, settings, key, lifeMs }: NewJob, now: number): Promise<void> {
    await sql`
      insert into multistatus_job (id, tenant, endpoint, settings, wanted_key, state, created_at, updated_at, expires_at)
      values (${id}, ${tenant ?? null}, ${endpoint}, ${settings}, ${key ?? null}, 'uploading', ${now}, ${now}, ${now + lifeMs})
      on conflict (id) do nothing
    `.execute(this.db)
  }

  async insertChunks(job: string, chunks: ReadonlyArray<NewChunk>): Promise<void> {
    for (let from = 0; from < chunks.length; from += rowsAtOnce) {
      const rows = chunks
        .slice(from, from + rowsAtOnce)
        .map(({ index, first, operations, payload }) => sql`(${job}, ${index}, ${first}, ${operations}, ${payload})`)
      await sql`
        insert into multistatus_job_chunk (job, idx, first, operations, payload) values ${sql.join(rows)}
        on conflict (job, idx) do nothing
      `.execute(this.db)
    }
  }

  async countChunks(job: string): Promise<number> {
    const { rows } = await sql<{
      n: number
    }>`select count(*) as n from multistatus_job_chunk where job = ${job}`.execute(this.db)
    return Number(rows[0]!.n)
  }

  async drop(job: string): Promise<void> {
    await this.dropChunks(job)
    await sql`delete from multistatus_job where id = ${job}`.execute(this.db)
  }

  async dropChunks(job: string): Promise<void> {
    await sql`delete from multistatus_job_part where job = ${job}`.execute(this.db)
    await sql`delete from multistatus_job_chunk where job = ${job}`.execute(this.db)
  }

  /** Counts operations in, if they fit; answers how many were waiting before, and whether they did. */
  async reserve(operations: number, limit: number): Promise<{ readonly queued: number; readonly fits: boolean }> {
    const lock = this.locks ? sql`for update` : sql``
    const { rows } = await sql<{ operations: number }>`
      select operations from multistatus_job_usage where id = 1 ${lock}
    `.execute(this.db)
    const queued = Number(rows[0]!.operations)
    const fits = queued + operations <= limit
    if (fits) await this.release(-operations)
    return { queued, fits }
  }

  async release(operations: number): Promise<void> {
    if (operations === 0) return
    await sql`${prepared} update multistatus_job_usage set operations = operations - ${operations} where id = 1`.execute(
      this.db,
    )
  }

  async queued(): Promise<number> {
    const { rows } = await sql<{
      operations: number
    }>`select operations from multistatus_job_usage where id = 1`.execute(this.db)
    return Number(rows[0]!.operations)
  }

  async countOpen(tenant: string | null): Promise<number> {
    const same = tenant === null ? sql`tenant is null` : sql`tenant = ${tenant}`
    const { rows } = await sql<{ n: number }>`
      select count(*) as n from multistatus_job where ${same} and state in ('queued', 'running')
    `.execute(this.db)
    return Number(rows[0]!.n)
  }

  async accept(job: TimedJob, { total, chunks, window, fingerprint }: JobExtent): Promise<void> {
    await sql`
      update multistatus_job set state = 'queued', total = ${total}, chunks = ${chunks}, span = ${window},
        sent = ${Math.min(window, chunks)}, fingerprint = ${fingerprint}, held_key = wanted_key, updated_at = ${later(job)}
      where id = ${job.id}
    `.execute(this.db)
  }

  /** Chunks that wait, from one index up to another. */
  async waiting(job: string, from: number, to: number): Promise<ReadonlyArray<SentChunk>> {
    return this.sent(job, from, to, sql`state = 'waiting'`)
  }

  /** Those of them that have not begun. */
  async unbegun(job: string, from: number, to: number): Promise<ReadonlyArray<SentChunk>> {
    return this.sent(job, from, to, isUnbegun)
  }

  private async sent(job: string, from: number, to: number, which: RawBuilder<unknown>) {
    const { rows } = await sql<SentChunk>`
      select idx, dispatch from multistatus_job_chunk
      where job = ${job} and idx >= ${from} and idx < ${to} and ${which} order by idx
    `.execute(this.db)
    return rows
  }

  /** Notes that chunks from one index up to another are sent, and answers those of them that wait. */
  async send(job: string, from: number, to: number, now: number): Promise<ReadonlyArray<SentChunk>> {
    if (from >= to) return []
    const { rows } = await sql<SentChunk>`${prepared}
      update multistatus_job_chunk set heard_at = ${now}
      where job = ${job} and idx >= ${from} and idx < ${to} and state = 'waiting' returning idx, dispatch
    `.execute(this.db)
    return [...rows].sort((left, right) => left.idx - right.idx)
  }

  /** The chunk that is held so; undefined where the hold is over. */
  async held({ job, chunk, epoch }: ChunkHold): Promise<ChunkRow | undefined> {
    const lock = this.locks ? sql`for update` : sql``
    const { rows } = await sql<ChunkRow>`
      select * from multistatus_job_chunk
      where job = ${job} and idx = ${chunk} and state = 'running' and epoch = ${epoch} ${lock}
    `.execute(this.db)
    return rows[0]
  }

  async parts(job: string, chunk: number): Promise<ReadonlyArray<PartRow>> {
    const { rows } = await sql<PartRow>`
      select at, results, succeeded, failed, skipped from multistatus_job_part where job = ${job} and chunk = ${chunk} order by at
    `.execute(this.db)
    return rows
  }

  /** Notes that a chunk is alive, and has got somewhere or not; whether the hold is still good. */
  async hear({ job, chunk, epoch }: ChunkHold, gotOn: boolean, given: number | undefined): Promise<boolean> {
    const starts = gotOn ? sql`starts = 1, ` : sql``
    const { numAffectedRows } = await sql`${prepared}
      update multistatus_job_chunk set ${starts}heard_at = ${this.clock(given)}
      where job = ${job} and idx = ${chunk} and state = 'running' and epoch = ${epoch}
    `.execute(this.db)
    return numAffectedRows === 1n
  }

  async keepPart({ job, chunk }: ChunkHold, { at, results, tally }: ChunkPart): Promise<void> {
    await sql`${prepared}
      insert into multistatus_job_part (job, chunk, at, results, succeeded, failed, skipped)
      values (${job}, ${chunk}, ${at}, ${results}, ${tally.succeeded}, ${tally.failed}, ${tally.skipped})
      on conflict (job, chunk, at) do update set results = excluded.results, succeeded = excluded.succeeded,
        failed = excluded.failed, skipped = excluded.skipped
    `.execute(this.db)
  }

  /** Ends the chunks that have not begun; how many operations they have. */
  async halt(job: string, code: string): Promise<number> {
    const { rows } = await sql<{ operations: number }>`
      update multistatus_job_chunk set state = 'halted', code = ${code}, payload = '', unsuccessful = operations
      where job = ${job} and ${isUnbegun} returning operations
    `.execute(this.db)
    return rows.reduce((sum, { operations }) => sum + operations, 0)
  }

  /** Lets no chunk of a job wait any longer. */
  async hasten(job: string): Promise<void> {
    await sql`
      update multistatus_job_chunk set heard_at = 0 where job = ${job} and state = 'waiting' and heard_at is not null
    `.execute(this.db)
  }

  async hasMore(job: string): Promise<boolean> {
    const { rows } = await sql`
      select 1 as one from multistatus_job_chunk where job = ${job} and state in ('waiting', 'running') limit 1
    `.execute(this.db)
    return rows.length > 0
  }

  async tell(id: string, { tally, state, isCancelled, expiresAt, updatedAt }: JobNews): Promise<void> {
    await sql`${prepared}
      update multistatus_job set succeeded = ${tally.succeeded}, failed = ${tally.failed}, skipped = ${tally.skipped},
        state = ${state}, is_cancelled = ${isCancelled ? 1 : 0}, expires_at = ${expiresAt},
        updated_at = ${updatedAt}
      where id = ${id}
    `.execute(this.db)
  }

  async postpone({ job, chunk }: ChunkHold, { starts, dispatch }: ChunkRow, heardAt: number): Promise<void> {
    await sql`
      update multistatus_job_chunk set state = 'waiting', starts = ${starts - 1}, dispatch = ${dispatch + 1}, heard_at = ${heardAt}
      where job = ${job} and idx = ${chunk}
    `.execute(this.db)
  }

  /** Index of the first chunk from one on that has not ended. */
  async firstOpen(job: string, from: number): Promise<number | undefined> {
    const { rows } = await sql<{ idx: number | null }>`
      select min(idx) as idx from multistatus_job_chunk
      where job = ${job} and idx >= ${from} and state in ('waiting', 'running')
    `.execute(this.db)
    return rows[0]?.idx ?? undefined
  }

  async ended(
    job: string,
    from: number,
    to: number,
    limit: number,
    onlyFailed: boolean,
  ): Promise<ReadonlyArray<ChunkRow>> {
    const wanted = onlyFailed ? sql`and unsuccessful > 0` : sql``
    const { rows } = await sql<ChunkRow>`
      select * from multistatus_job_chunk where job = ${job} and idx >= ${from} and idx < ${to} ${wanted} order by idx limit ${limit}
    `.execute(this.db)
    return rows
  }

  async overdue(silentMs: number, limit: number, now: number): Promise<ReadonlyArray<ChunkRef>> {
    const lock = this.locks ? sql`for update of c skip locked` : sql``
    const { rows } = await sql<{ job: string; idx: number; dispatch: number }>`
      select c.job, c.idx, c.dispatch from multistatus_job_chunk c join multistatus_job j on j.id = c.job
      where c.state in ('waiting', 'running') and c.heard_at is not null and c.heard_at <= ${now - silentMs}
        and (c.state = 'running' or c.heard_at <= cast(${now} as bigint) - cast(${silentMs} as bigint)
          * (1 << case when c.dispatch < 4 then c.dispatch else 4 end))
        and j.state in ('queued', 'running')
      order by c.heard_at limit ${limit} ${lock}
    `.execute(this.db)
    for (const { job, idx, dispatch } of rows) {
      await sql`${prepared}
        update multistatus_job_chunk set heard_at = ${now}, dispatch = ${dispatch + 1}, held_by = ${dispatch + 1} where job = ${job} and idx = ${idx}
      `.execute(this.db)
    }
    return rows.map(({ job, idx, dispatch }) => ({ job, chunk: idx, dispatch: dispatch + 1 }))
  }

  async expired(limit: number, now: number): Promise<ReadonlyArray<string>> {
    const { rows } = await sql<{ id: string }>`
      select id from multistatus_job where expires_at <= ${now} order by expires_at limit ${limit}
    `.execute(this.db)
    return rows.map(({ id }) => id)
  }

  async forget(job: string, expiresAt: number): Promise<void> {
    await sql`
      update multistatus_job set state = 'forgotten', held_key = null, expires_at = ${expiresAt} where id = ${job}
    `.execute(this.db)
  }

  async stopped(ids: ReadonlyArray<string>): Promise<ReadonlyArray<string>> {
    const { rows } = await sql<{ id: string }>`
      select id from multistatus_job where id in (${sql.join(ids)}) and is_cancelled = 0 and state <> 'forgotten'
    `.execute(this.db)
    const going = new Set(rows.map(({ id }) => id))
    return ids.filter((id) => !going.has(id))
  }
}

// One of which something was kept before it was postponed has begun: only its next worker can put its results together.
const isUnbegun = sql`state = 'waiting' and not exists (
  select 1 from multistatus_job_part part where part.job = multistatus_job_chunk.job and part.chunk = multistatus_job_chunk.idx
)`

/** When a job is told to have changed: two changes of it are never told by the same time. @internal */
export const later = ({ updated_at, now }: TimedJob): number => Math.max(now, Number(updated_at) + 1)
