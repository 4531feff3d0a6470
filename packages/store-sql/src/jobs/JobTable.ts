/** The statements on the table of jobs, and on the count of unfinished operations. */
import type { JobExtent, JobState, JobTally, NewJob } from "@multistatus/core/store"
import { sql } from "kysely"

import { type JobConnection, prepared } from "./JobConnection.ts"
import { type JobRow, nextUpdate, type TimedJob } from "./JobRows.ts"

/** New values of a job. @internal */
export interface JobUpdate {
  readonly tally: JobTally
  readonly state: JobState
  readonly isCancelled: boolean
  readonly expiresAt: number
  readonly updatedAt: number
}

/** @internal */
export class JobTable {
  private readonly connection: JobConnection

  constructor(connection: JobConnection) {
    this.connection = connection
  }

  async insert({ id, tenant, endpoint, settings, key, lifeMs }: NewJob, now: number): Promise<void> {
    await sql`
      insert into multistatus_job (id, tenant, endpoint, settings, wanted_key, state, created_at, updated_at, expires_at)
      values (${id}, ${tenant ?? null}, ${endpoint}, ${settings}, ${key ?? null}, 'uploading', ${now}, ${now}, ${now + lifeMs})
      on conflict (id) do nothing
    `.execute(this.connection.db)
  }

  /** Finds a job, and locks it until the transaction ends. */
  lock(id: string, given: number | undefined): Promise<TimedJob | undefined> {
    return this.select(id, given, true)
  }

  find(id: string, given: number | undefined): Promise<TimedJob | undefined> {
    return this.select(id, given, false)
  }

  private async select(id: string, given: number | undefined, locks: boolean): Promise<TimedJob | undefined> {
    const { connection } = this
    const { rows } = await sql<TimedJob>`
      select job.*, ${connection.clock(given)} as now from multistatus_job job where id = ${id}
      ${locks ? connection.forUpdate : sql``}
    `.execute(connection.db)
    return rows[0] && { ...rows[0], now: Number(rows[0].now) }
  }

  /** Finds the accepted job with a key. */
  async findByKey(key: string): Promise<JobRow | undefined> {
    const { rows } = await sql<JobRow>`select * from multistatus_job where held_key = ${key}`.execute(
      this.connection.db,
    )
    return rows[0]
  }

  async accept(job: TimedJob, { total, chunks, window, fingerprint }: JobExtent): Promise<void> {
    await sql`
      update multistatus_job set state = 'queued', total = ${total}, chunks = ${chunks}, span = ${window},
        sent = ${Math.min(window, chunks)}, fingerprint = ${fingerprint}, held_key = wanted_key,
        updated_at = ${nextUpdate(job)}
      where id = ${job.id}
    `.execute(this.connection.db)
  }

  async update(id: string, { tally, state, isCancelled, expiresAt, updatedAt }: JobUpdate): Promise<void> {
    await sql`${prepared}
      update multistatus_job set succeeded = ${tally.succeeded}, failed = ${tally.failed}, skipped = ${tally.skipped},
        state = ${state}, is_cancelled = ${isCancelled ? 1 : 0}, expires_at = ${expiresAt},
        updated_at = ${updatedAt}
      where id = ${id}
    `.execute(this.connection.db)
  }

  /** Leaves a tombstone of a job. */
  async forget(id: string, expiresAt: number): Promise<void> {
    await sql`
      update multistatus_job set state = 'forgotten', held_key = null, expires_at = ${expiresAt} where id = ${id}
    `.execute(this.connection.db)
  }

  async delete(id: string): Promise<void> {
    await sql`delete from multistatus_job where id = ${id}`.execute(this.connection.db)
  }

  /** Number of unfinished jobs of a tenant. */
  async countOpen(tenant: string | null): Promise<number> {
    const isOfTenant = tenant === null ? sql`tenant is null` : sql`tenant = ${tenant}`
    const { rows } = await sql<{ n: number }>`
      select count(*) as n from multistatus_job where ${isOfTenant} and state in ('queued', 'running')
    `.execute(this.connection.db)
    return Number(rows[0]!.n)
  }

  /** Ids of expired jobs. */
  async expired(limit: number, now: number): Promise<ReadonlyArray<string>> {
    const { rows } = await sql<{ id: string }>`
      select id from multistatus_job where expires_at <= ${now} order by expires_at limit ${limit}
    `.execute(this.connection.db)
    return rows.map(({ id }) => id)
  }

  /** Those of the ids whose jobs are cancelled, or do not exist. */
  async cancelled(ids: ReadonlyArray<string>): Promise<ReadonlyArray<string>> {
    if (ids.length === 0) return []
    const { rows } = await sql<{ id: string }>`
      select id from multistatus_job where id in (${sql.join(ids)}) and is_cancelled = 0 and state <> 'forgotten'
    `.execute(this.connection.db)
    const active = new Set(rows.map(({ id }) => id))
    return ids.filter((id) => !active.has(id))
  }

  /** Number of unfinished operations of all jobs. */
  async queued(): Promise<number> {
    const { rows } = await sql<{ operations: number }>`
      select operations from multistatus_job_usage where id = 1
    `.execute(this.connection.db)
    return Number(rows[0]!.operations)
  }

  /** Adds unfinished operations unless that exceeds a limit. Concurrent calls wait for each other. */
  async reserve(operations: number, limit: number): Promise<{ readonly queued: number; readonly fits: boolean }> {
    const { db, forUpdate } = this.connection
    const { rows } = await sql<{ operations: number }>`
      select operations from multistatus_job_usage where id = 1 ${forUpdate}
    `.execute(db)
    const queued = Number(rows[0]!.operations)
    const fits = queued + operations <= limit
    if (fits) await this.release(-operations)
    return { queued, fits }
  }

  /** Subtracts operations that have ended. */
  async release(operations: number): Promise<void> {
    if (operations === 0) return
    await sql`${prepared}
      update multistatus_job_usage set operations = operations - ${operations} where id = 1
    `.execute(this.connection.db)
  }
}
