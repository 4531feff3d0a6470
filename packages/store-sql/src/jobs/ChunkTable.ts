/** The statements on the tables of chunks and of their parts. */
import type { ChunkHold, ChunkPart, ChunkRef, ChunksQuery, Job, NewChunk } from "@multistatus/core/store"
import { type RawBuilder, sql } from "kysely"

import { type JobConnection, prepared } from "./JobConnection.ts"
import type { ChunkRow, DueChunk } from "./JobRows.ts"

/** Maximum number of rows in one insert, because SQLite limits the number of parameters. */
const rowsAtOnce = 1000

/** @internal */
export class ChunkTable {
  private readonly connection: JobConnection

  constructor(connection: JobConnection) {
    this.connection = connection
  }

  async insert(job: string, chunks: ReadonlyArray<NewChunk>): Promise<void> {
    for (let from = 0; from < chunks.length; from += rowsAtOnce) {
      const rows = chunks
        .slice(from, from + rowsAtOnce)
        .map(({ index, first, operations, payload }) => sql`(${job}, ${index}, ${first}, ${operations}, ${payload})`)
      await sql`
        insert into multistatus_job_chunk (job, idx, first, operations, payload) values ${sql.join(rows)}
        on conflict (job, idx) do nothing
      `.execute(this.connection.db)
    }
  }

  async delete(job: string): Promise<void> {
    const { db } = this.connection
    await sql`delete from multistatus_job_part where job = ${job}`.execute(db)
    await sql`delete from multistatus_job_chunk where job = ${job}`.execute(db)
  }

  async count(job: string): Promise<number> {
    const { rows } = await sql<{ n: number }>`
      select count(*) as n from multistatus_job_chunk where job = ${job}
    `.execute(this.connection.db)
    return Number(rows[0]!.n)
  }

  /** The chunks before an index that wait. */
  waiting(job: string, to: number): Promise<ReadonlyArray<DueChunk>> {
    return this.before(job, to, sql`state = 'waiting'`)
  }

  /** The chunks before an index that have not started. */
  unstarted(job: string, to: number): Promise<ReadonlyArray<DueChunk>> {
    return this.before(job, to, isUnstarted)
  }

  private async before(job: string, to: number, condition: RawBuilder<unknown>): Promise<ReadonlyArray<DueChunk>> {
    const { rows } = await sql<DueChunk>`
      select idx, dispatch from multistatus_job_chunk where job = ${job} and idx < ${to} and ${condition} order by idx
    `.execute(this.connection.db)
    return rows
  }

  /** Marks the chunks from one index up to another as due. Returns those that wait. */
  async send(job: string, from: number, to: number, now: number): Promise<ReadonlyArray<DueChunk>> {
    if (from >= to) return []
    const { rows } = await sql<DueChunk>`${prepared}
      update multistatus_job_chunk set heard_at = ${now}
      where job = ${job} and idx >= ${from} and idx < ${to} and state = 'waiting' returning idx, dispatch
    `.execute(this.connection.db)
    return [...rows].sort((left, right) => left.idx - right.idx)
  }

  /** Finds and locks the chunk of a hold; undefined if the hold is over. */
  async lockHeld({ job, chunk, epoch }: ChunkHold): Promise<ChunkRow | undefined> {
    const { db, forUpdate } = this.connection
    const { rows } = await sql<ChunkRow>`
      select * from multistatus_job_chunk
      where job = ${job} and idx = ${chunk} and state = 'running' and epoch = ${epoch} ${forUpdate}
    `.execute(db)
    return rows[0]
  }

  /** Records a sign of life, and whether results were kept. Returns false if the hold is over. */
  async keepAlive({ job, chunk, epoch }: ChunkHold, hasKept: boolean, given: number | undefined): Promise<boolean> {
    const { connection } = this
    const starts = hasKept ? sql`starts = 1, ` : sql``
    const { numAffectedRows } = await sql`${prepared}
      update multistatus_job_chunk set ${starts}heard_at = ${connection.clock(given)}
      where job = ${job} and idx = ${chunk} and state = 'running' and epoch = ${epoch}
    `.execute(connection.db)
    return numAffectedRows === 1n
  }

  async parts(job: string, chunk: number): Promise<ReadonlyArray<ChunkPart>> {
    const { rows } = await sql<ChunkPart>`
      select at, results, outcomes from multistatus_job_part where job = ${job} and chunk = ${chunk} order by at
    `.execute(this.connection.db)
    return rows
  }

  async insertPart({ job, chunk }: ChunkHold, { at, results, outcomes }: ChunkPart): Promise<void> {
    await sql`${prepared}
      insert into multistatus_job_part (job, chunk, at, results, outcomes)
      values (${job}, ${chunk}, ${at}, ${results}, ${outcomes})
      on conflict (job, chunk, at) do update set results = excluded.results, outcomes = excluded.outcomes
    `.execute(this.connection.db)
  }

  /** Ends the chunks that have not started. Returns how many operations they have. */
  async halt(job: string, code: string): Promise<number> {
    const { rows } = await sql<{ operations: number }>`
      update multistatus_job_chunk set state = 'halted', code = ${code}, payload = '', unsuccessful = operations
      where job = ${job} and ${isUnstarted} returning operations
    `.execute(this.connection.db)
    return rows.reduce((sum, { operations }) => sum + operations, 0)
  }

  /** Postpones a chunk. The column `code` is what it waits for until it starts. */
  async postpone(
    { job, chunk }: ChunkHold,
    { starts, dispatch }: ChunkRow,
    aliveAt: number,
    waitsFor: Job.JobWait["for"] | undefined,
  ): Promise<void> {
    await sql`
      update multistatus_job_chunk
      set state = 'waiting', starts = ${starts - 1}, dispatch = ${dispatch + 1}, heard_at = ${aliveAt},
        code = ${waitsFor ?? null}
      where job = ${job} and idx = ${chunk}
    `.execute(this.connection.db)
  }

  /** When the first of the chunks that wait for the quota is due; undefined if there is none, or if a chunk runs. */
  async waitsUntil(job: string, now: number): Promise<number | undefined> {
    const { rows } = await sql<{ running: number; until: number | string | null }>`
      select coalesce(max(case when state = 'running' then 1 else 0 end), 0) as running,
        min(case when state = 'waiting' and code = 'quota' and heard_at > ${now} then heard_at end) as until
      from multistatus_job_chunk where job = ${job} and state in ('waiting', 'running') and heard_at is not null
    `.execute(this.connection.db)
    const { running, until } = rows[0]!
    return running > 0 || until === null ? undefined : Number(until)
  }

  /** Makes the postponed chunks of a job overdue. */
  async endPostponement(job: string): Promise<void> {
    await sql`
      update multistatus_job_chunk set heard_at = 0 where job = ${job} and state = 'waiting' and heard_at is not null
    `.execute(this.connection.db)
  }

  /** Index of the first chunk from `from` on that has not ended. */
  async firstOpen(job: string, from: number): Promise<number | undefined> {
    const { rows } = await sql<{ idx: number | null }>`
      select min(idx) as idx from multistatus_job_chunk
      where job = ${job} and idx >= ${from} and state in ('waiting', 'running')
    `.execute(this.connection.db)
    return rows[0]?.idx ?? undefined
  }

  async hasOpen(job: string): Promise<boolean> {
    const { rows } = await sql`
      select 1 as one from multistatus_job_chunk where job = ${job} and state in ('waiting', 'running') limit 1
    `.execute(this.connection.db)
    return rows.length > 0
  }

  /** The chunks of a query before the index `to`. */
  async ended(job: string, { from, limit, onlyFailed }: ChunksQuery, to: number): Promise<ReadonlyArray<ChunkRow>> {
    const condition = onlyFailed ? sql`and unsuccessful > 0` : sql``
    const { rows } = await sql<ChunkRow>`
      select * from multistatus_job_chunk
      where job = ${job} and idx >= ${from} and idx < ${to} ${condition} order by idx limit ${limit}
    `.execute(this.connection.db)
    return rows
  }

  /** One chunk that is due and waits, for each tenant that has one. */
  async due(limit: number, given: number | undefined): Promise<ReadonlyArray<Job.DueChunk>> {
    const { connection } = this
    const { rows } = await sql<{ tenant: string | null; job: string; idx: number }>`
      select tenant, job, idx from (
        select j.tenant, c.job, c.idx, c.heard_at,
          row_number() over (partition by j.tenant order by c.heard_at, c.job, c.idx) as place
        from multistatus_job_chunk c join multistatus_job j on j.id = c.job
        where c.state in ('waiting', 'running') and c.state = 'waiting' and c.heard_at is not null
          and c.heard_at <= ${connection.clock(given)} and j.state in ('queued', 'running')
      ) as due where place = 1 order by heard_at, job limit ${limit}
    `.execute(connection.db)
    return rows.map(({ tenant, job, idx }) => ({ tenant: tenant ?? undefined, job, chunk: idx }))
  }

  /** Finds overdue chunks of all jobs, and gives each its next dispatch. */
  async overdue(silentMs: number, limit: number, now: number): Promise<ReadonlyArray<ChunkRef>> {
    const { db, hasRowLocks } = this.connection
    const lock = hasRowLocks ? sql`for update of c skip locked` : sql``
    const { rows } = await sql<{ job: string; idx: number; dispatch: number }>`
      select c.job, c.idx, c.dispatch from multistatus_job_chunk c join multistatus_job j on j.id = c.job
      where c.state in ('waiting', 'running') and c.heard_at is not null and c.heard_at <= ${now - silentMs}
        and (c.state = 'running' or c.heard_at <= cast(${now} as bigint) - cast(${silentMs} as bigint)
          * (1 << case when c.dispatch < 4 then c.dispatch else 4 end))
        and j.state in ('queued', 'running')
      order by c.heard_at limit ${limit} ${lock}
    `.execute(db)
    for (const { job, idx, dispatch } of rows) {
      await sql`${prepared}
        update multistatus_job_chunk set heard_at = ${now}, dispatch = ${dispatch + 1}, held_by = ${dispatch + 1}
        where job = ${job} and idx = ${idx}
      `.execute(db)
    }
    return rows.map(({ job, idx, dispatch }) => ({ job, chunk: idx, dispatch: dispatch + 1 }))
  }
}

// A chunk with parts has started, even if it waits: only its next worker can complete its results.
const isUnstarted = sql`state = 'waiting' and not exists (
  select 1 from multistatus_job_part part where part.job = multistatus_job_chunk.job and part.chunk = multistatus_job_chunk.idx
)`
