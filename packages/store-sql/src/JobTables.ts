/**
 * The statements of the job store, each for one purpose, on an open transaction.
 */
import type { ChunkHold, ChunkPart, ChunkRef, JobExtent, JobState, JobTally, NewChunk, NewJob } from "@multistatus/core"
import { type Kysely, type RawBuilder, sql } from "kysely"

import type { DatabaseDialect } from "./DatabaseUrl.ts"
import type { ChunkRow, JobRow, PartRow } from "./JobRows.ts"

/** Rows that one statement inserts: SQLite takes so many parameters and no more. */
const rowsAtOnce = 1000

/** @internal */
export class JobTables {
  private readonly db: Kysely<unknown>
  private readonly locks: boolean

  constructor(db: Kysely<unknown>, dialect: DatabaseDialect) {
    this.db = db
    // SQLite has no row locks and needs none: it has one writer.
    this.locks = dialect !== "sqlite"
  }

  /** The time, unless it is given. */
  async now(given: number | undefined): Promise<number> {
    if (given !== undefined) return given
    const clock = this.locks
      ? sql<{ now: number }>`select floor(extract(epoch from clock_timestamp()) * 1000)::float8 as now`
      : sql<{ now: number }>`select cast(unixepoch('now', 'subsec') * 1000 as integer) as now`
    return Number((await clock.execute(this.db)).rows[0]!.now)
  }

  /** A job, which nobody else changes until the transaction has ended. */
  async lock(id: string): Promise<JobRow | undefined> {
    const lock = this.locks ? sql`for update` : sql``
    const { rows } = await sql<JobRow>`select * from multistatus_job where id = ${id} ${lock}`.execute(this.db)
    return rows[0]
  }

  async find(id: string): Promise<JobRow | undefined> {
    return (await sql<JobRow>`select * from multistatus_job where id = ${id}`.execute(this.db)).rows[0]
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
    await sql`update multistatus_job_usage set operations = operations - ${operations} where id = 1`.execute(this.db)
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

  async accept(job: JobRow, { total, chunks, window, fingerprint }: JobExtent, now: number): Promise<void> {
    await sql`
      update multistatus_job set state = 'queued', total = ${total}, chunks = ${chunks}, span = ${window},
        fingerprint = ${fingerprint}, held_key = wanted_key, updated_at = ${later(job, now)}
      where id = ${job.id}
    `.execute(this.db)
  }

  /** Chunks that wait, from one index up to another. */
  waiting(job: string, from: number, to: number): Promise<ReadonlyArray<Pick<ChunkRow, "idx" | "dispatch">>> {
    return this.sent(job, from, to, sql`state = 'waiting'`)
  }

  /** Those of them that have not begun. */
  unbegun(job: string, from: number, to: number): Promise<ReadonlyArray<Pick<ChunkRow, "idx" | "dispatch">>> {
    return this.sent(job, from, to, isUnbegun)
  }

  private async sent(job: string, from: number, to: number, which: RawBuilder<unknown>) {
    const { rows } = await sql<Pick<ChunkRow, "idx" | "dispatch">>`
      select idx, dispatch from multistatus_job_chunk
      where job = ${job} and idx >= ${from} and idx < ${to} and ${which} order by idx
    `.execute(this.db)
    return rows
  }

  async markSent(job: string, from: number, to: number, now: number): Promise<void> {
    await sql`
      update multistatus_job_chunk set heard_at = ${now}
      where job = ${job} and idx >= ${from} and idx < ${to} and state = 'waiting'
    `.execute(this.db)
    await sql`update multistatus_job set sent = ${to} where id = ${job}`.execute(this.db)
  }

  async chunk(job: string, index: number): Promise<ChunkRow | undefined> {
    const lock = this.locks ? sql`for update` : sql``
    const { rows } = await sql<ChunkRow>`
      select * from multistatus_job_chunk where job = ${job} and idx = ${index} ${lock}
    `.execute(this.db)
    return rows[0]
  }

  /** The chunk that is held so; undefined where the hold is over. */
  async held({ job, chunk, epoch }: ChunkHold): Promise<ChunkRow | undefined> {
    const row = await this.chunk(job, chunk)
    return row?.state === "running" && row.epoch === epoch ? row : undefined
  }

  async run(job: JobRow, chunk: ChunkRow, now: number): Promise<void> {
    await sql`
      update multistatus_job_chunk set state = 'running', epoch = ${chunk.epoch + 1}, starts = ${chunk.starts + 1}, heard_at = ${now}
      where job = ${job.id} and idx = ${chunk.idx}
    `.execute(this.db)
    await sql`
      update multistatus_job set state = 'running', updated_at = ${later(job, now)} where id = ${job.id}
    `.execute(this.db)
  }

  async parts(job: string, chunk: number): Promise<ReadonlyArray<PartRow>> {
    const { rows } = await sql<PartRow>`
      select at, results, succeeded, failed, skipped from multistatus_job_part where job = ${job} and chunk = ${chunk} order by at
    `.execute(this.db)
    return rows
  }

  async keepPart({ job, chunk }: ChunkHold, { at, results, tally }: ChunkPart, now: number): Promise<void> {
    await sql`delete from multistatus_job_part where job = ${job} and chunk = ${chunk} and at >= ${at}`.execute(this.db)
    await sql`
      insert into multistatus_job_part (job, chunk, at, results, succeeded, failed, skipped)
      values (${job}, ${chunk}, ${at}, ${results}, ${tally.succeeded}, ${tally.failed}, ${tally.skipped})
    `.execute(this.db)
    await sql`
      update multistatus_job_chunk set starts = 1, heard_at = ${now} where job = ${job} and idx = ${chunk}
    `.execute(this.db)
  }

  async end({ job, chunk }: ChunkHold, results: string, { failed, skipped }: JobTally): Promise<void> {
    await sql`
      update multistatus_job_chunk set state = 'done', results = ${results}, payload = '', unsuccessful = ${failed + skipped}
      where job = ${job} and idx = ${chunk}
    `.execute(this.db)
    await sql`delete from multistatus_job_part where job = ${job} and chunk = ${chunk}`.execute(this.db)
  }

  /** Ends the chunks that have not begun; how many operations they have. */
  async halt(job: string, code: string): Promise<number> {
    const { rows } = await sql<{ n: number | null }>`
      select sum(operations) as n from multistatus_job_chunk where job = ${job} and ${isUnbegun}
    `.execute(this.db)
    await sql`
      update multistatus_job_chunk set state = 'halted', code = ${code}, payload = '', unsuccessful = operations
      where job = ${job} and ${isUnbegun}
    `.execute(this.db)
    return Number(rows[0]?.n ?? 0)
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

  async tell(job: JobRow, tally: JobTally, state: JobState, isCancelled: boolean, expiresAt: number, now: number) {
    await sql`
      update multistatus_job set succeeded = ${tally.succeeded}, failed = ${tally.failed}, skipped = ${tally.skipped},
        state = ${state}, is_cancelled = ${isCancelled ? 1 : 0}, expires_at = ${expiresAt}, updated_at = ${later(job, now)}
      where id = ${job.id}
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

  async overdue(before: number, limit: number, now: number): Promise<ReadonlyArray<ChunkRef>> {
    const lock = this.locks ? sql`for update of c skip locked` : sql``
    const { rows } = await sql<{ job: string; idx: number; dispatch: number }>`
      select c.job, c.idx, c.dispatch from multistatus_job_chunk c join multistatus_job j on j.id = c.job
      where c.state in ('waiting', 'running') and c.heard_at is not null and c.heard_at <= ${before}
        and j.state in ('queued', 'running')
      order by c.heard_at limit ${limit} ${lock}
    `.execute(this.db)
    for (const { job, idx, dispatch } of rows) {
      await sql`
        update multistatus_job_chunk set heard_at = ${now}, dispatch = ${dispatch + 1} where job = ${job} and idx = ${idx}
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

// Two changes of one job are never told by the same time.
const later = ({ updated_at }: JobRow, now: number): number => Math.max(now, Number(updated_at) + 1)
