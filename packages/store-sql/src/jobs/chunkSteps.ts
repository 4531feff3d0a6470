/**
 * Starts and ends a chunk. PostgreSQL takes one statement for each. SQLite takes several, because it cannot do the same in one,
 * and loses no time between them.
 */
import { type ChunkHold, type ChunkOutcome, Job, type JobStore } from "@multistatus/core/store"
import { type RawBuilder, sql } from "kysely"

import { ChunkTable } from "./ChunkTable.ts"
import { type JobConnection, prepared } from "./JobConnection.ts"
import { type ChunkRow, type DueChunk, isExpired, isOpen, type JobRow, nextUpdate, type TimedJob } from "./JobRows.ts"
import { JobTable } from "./JobTable.ts"

/** A chunk that was started, and its job. @internal */
export interface StartedRow {
  readonly chunk: ChunkRow
  readonly job: JobRow
}

/** The job of a chunk that was ended, and the chunks that are due next. @internal */
export interface EndedRow {
  readonly job: TimedJob
  readonly due: ReadonlyArray<DueChunk>
}

type Ref = Parameters<JobStore["start"]>[0]

/** Starts a chunk; undefined if it is not given to the dispatch, or has ended. @internal */
export const startChunk = (
  connection: JobConnection,
  ref: Ref,
  given: number | undefined,
): Promise<StartedRow | undefined> =>
  (connection.hasRowLocks ? startInOneStatement : startStepByStep)(connection, ref, given)

// A running chunk is given only to the dispatch that holds it.
const isGiven = ({ dispatch }: Ref) =>
  dispatch === undefined
    ? sql`chunk.state in ('waiting', 'running')`
    : sql`(chunk.state = 'waiting' or (chunk.state = 'running' and chunk.held_by = ${dispatch}))`

const heldBy = ({ dispatch }: Ref) => (dispatch === undefined ? sql`dispatch` : sql`${dispatch}`)

const startInOneStatement = async (connection: JobConnection, ref: Ref, given: number | undefined) => {
  const { rows } = await sql<StartedRow>`${prepared}
    with locked as materialized (
      select job.*, ${connection.clock(given)} as now from multistatus_job job where id = ${ref.job} for update
    ), started as (
      update multistatus_job_chunk chunk
      set state = 'running', epoch = epoch + 1, starts = starts + 1, held_by = ${heldBy(ref)}, heard_at = locked.now
      from locked where locked.state in ('queued', 'running') and locked.expires_at > locked.now
        and chunk.job = locked.id and chunk.idx = ${ref.chunk} and ${isGiven(ref)}
      returning chunk.*
    ), running as (
      update multistatus_job job set state = 'running', updated_at = greatest(locked.now, locked.updated_at + 1)
      from locked, started where job.id = locked.id returning job.*
    )
    select to_json(started) as chunk, to_json(running) as job from started, running
  `.execute(connection.db)
  return rows[0]
}

const startStepByStep = async (connection: JobConnection, ref: Ref, given: number | undefined) => {
  const { db } = connection
  const job = await new JobTable(connection).lock(ref.job, given)
  if (job === undefined || !isOpen(job) || isExpired(job)) return undefined
  const chunks = await sql<ChunkRow>`
    update multistatus_job_chunk as chunk
    set state = 'running', epoch = epoch + 1, starts = starts + 1, held_by = ${heldBy(ref)}, heard_at = ${job.now}
    where job = ${job.id} and idx = ${ref.chunk} and ${isGiven(ref)} returning *
  `.execute(db)
  const chunk = chunks.rows[0]
  if (chunk === undefined) return undefined
  const jobs = await sql<JobRow>`
    update multistatus_job set state = 'running', updated_at = ${nextUpdate(job)} where id = ${job.id} returning *
  `.execute(db)
  return { chunk, job: jobs.rows[0]! }
}

type EndChunk = (
  connection: JobConnection,
  hold: ChunkHold,
  outcome: ChunkOutcome,
  given: number | undefined,
) => Promise<EndedRow | undefined>

/** Stores the results of a chunk, and makes the next one due; undefined if the hold is over. @internal */
export const endChunk: EndChunk = (connection, ...args) =>
  (connection.hasRowLocks ? endInOneStatement : endStepByStep)(connection, ...args)

const endInOneStatement: EndChunk = async (connection, hold, outcome, given) => {
  const { rows } = await sql<EndedRow>`${prepared}
    with locked as materialized (
      select job.*, ${connection.clock(given)} as now from multistatus_job job where id = ${hold.job} for update
    ), ended as (${updateChunk(hold, outcome, sql`and exists (select from locked)`)}), cleared as (
      ${deleteParts(hold)} and exists (select from ended)
    ), due as (
      update multistatus_job_chunk chunk set heard_at = locked.now from locked
      where chunk.job = locked.id and chunk.idx = locked.sent and chunk.state = 'waiting' and exists (select from ended)
      returning chunk.idx, chunk.dispatch
    ), counted as (
      update multistatus_job job set ${addCounts(outcome)}, updated_at = greatest(locked.now, locked.updated_at + 1)
      from locked where job.id = locked.id and exists (select from ended) returning job.*, locked.now
    )
    select to_json(counted) as job, coalesce((select json_agg(due) from due), '[]') as due from counted
  `.execute(connection.db)
  return rows[0]
}

const endStepByStep: EndChunk = async (connection, hold, outcome, given) => {
  const { db } = connection
  const locked = await new JobTable(connection).lock(hold.job, given)
  const ended = await updateChunk(hold, outcome, sql``).execute(db)
  if (locked === undefined || ended.rows.length === 0) return undefined
  await deleteParts(hold).execute(db)
  const { id, now, sent, chunks } = locked
  const due = await new ChunkTable(connection).send(id, sent, Math.min(chunks, sent + 1), now)
  const jobs = await sql<JobRow>`
    update multistatus_job as job set ${addCounts(outcome)}, updated_at = ${nextUpdate(locked)} where id = ${id} returning *
  `.execute(db)
  return { job: { ...jobs.rows[0]!, now }, due }
}

// Every call that changes a chunk locks its job before.
const updateChunk = (
  { job, chunk, epoch }: ChunkHold,
  { results, outcomes }: ChunkOutcome,
  condition: RawBuilder<unknown>,
) => {
  const { failed, skipped } = Job.tallyOf(outcomes)
  return sql`
    update multistatus_job_chunk
    set state = 'done', results = ${results}, outcomes = ${outcomes}, payload = '', code = null,
      unsuccessful = ${failed + skipped}
    where job = ${job} and idx = ${chunk} and state = 'running' and epoch = ${epoch} ${condition} returning 1 as one`
}

const deleteParts = ({ job, chunk }: ChunkHold) =>
  sql`delete from multistatus_job_part where job = ${job} and chunk = ${chunk}`

const addCounts = ({ outcomes }: ChunkOutcome) => {
  const { succeeded, failed, skipped } = Job.tallyOf(outcomes)
  return sql`
    succeeded = job.succeeded + ${succeeded}, failed = job.failed + ${failed}, skipped = job.skipped + ${skipped},
    sent = case when job.sent < job.chunks then job.sent + 1 else job.sent end`
}
