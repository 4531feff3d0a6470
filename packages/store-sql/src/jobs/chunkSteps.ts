/**
 * How a chunk begins and how it ends: in PostgreSQL with one statement each, in SQLite step by step, where no time is lost
 * between them.
 */
import type { ChunkHold, JobStore, JobTally } from "@multistatus/core/store"
import { type RawBuilder, sql } from "kysely"

import { type ChunkRow, isOpen, type JobRow } from "./JobRows.ts"
import { type JobTables, later, prepared, type SentChunk, type TimedJob } from "./JobTables.ts"

/** A chunk that was begun, and its job. @internal */
export interface BegunChunk {
  readonly chunk: ChunkRow
  readonly job: JobRow
}

/** A job of which a chunk has ended, and the chunks that are due now. @internal */
export interface Kept {
  readonly job: TimedJob
  readonly due: ReadonlyArray<SentChunk>
}

/** Begins a chunk anew; undefined where it has ended, or its job has. @internal */
export const begin = (tables: JobTables, ref: BegunBy, given: number | undefined): Promise<BegunChunk | undefined> =>
  (tables.locks ? beginAtOnce : beginInSteps)(tables, ref, given)

type BegunBy = Parameters<JobStore["start"]>[0]

// One that runs is given to its own dispatch alone.
const isFree = ({ dispatch }: BegunBy) =>
  dispatch === undefined
    ? sql`chunk.state in ('waiting', 'running')`
    : sql`(chunk.state = 'waiting' or (chunk.state = 'running' and chunk.held_by = ${dispatch}))`

const heldBy = ({ dispatch }: BegunBy) => (dispatch === undefined ? sql`dispatch` : sql`${dispatch}`)

// One statement, and so a transaction by itself.
const beginAtOnce = async (tables: JobTables, ref: BegunBy, given: number | undefined) => {
  const { rows } = await sql<{ chunk: ChunkRow; job: JobRow }>`${prepared}
    with locked as materialized (
      select job.*, ${tables.clock(given)} as now from multistatus_job job where id = ${ref.job} for update
    ), begun as (
      update multistatus_job_chunk chunk
      set state = 'running', epoch = epoch + 1, starts = starts + 1, held_by = ${heldBy(ref)}, heard_at = locked.now
      from locked where locked.state in ('queued', 'running') and locked.expires_at > locked.now
        and chunk.job = locked.id and chunk.idx = ${ref.chunk} and ${isFree(ref)}
      returning chunk.*
    ), running as (
      update multistatus_job job set state = 'running', updated_at = greatest(locked.now, locked.updated_at + 1)
      from locked, begun where job.id = locked.id returning job.*
    )
    select to_json(begun) as chunk, to_json(running) as job from begun, running
  `.execute(tables.db)
  return rows[0]
}

const beginInSteps = async (tables: JobTables, ref: BegunBy, given: number | undefined) => {
  const { job: id, chunk: index } = ref
  const job = await tables.lock(id, given)
  if (job === undefined || !isOpen(job) || Number(job.expires_at) <= job.now) return undefined
  const chunks = await sql<ChunkRow>`
    update multistatus_job_chunk as chunk
    set state = 'running', epoch = epoch + 1, starts = starts + 1, held_by = ${heldBy(ref)}, heard_at = ${job.now}
    where job = ${id} and idx = ${index} and ${isFree(ref)} returning *
  `.execute(tables.db)
  const chunk = chunks.rows[0]
  if (chunk === undefined) return undefined
  const jobs = await sql<JobRow>`
    update multistatus_job set state = 'running', updated_at = ${later(job)} where id = ${id} returning *
  `.execute(tables.db)
  return { chunk, job: jobs.rows[0]! }
}

type Keep = (
  tables: JobTables,
  hold: ChunkHold,
  results: string,
  tally: JobTally,
  given: number | undefined,
) => Promise<Kept | undefined>

/** Ends a chunk with its results, and sends the next one; undefined where the hold is over. @internal */
export const keep: Keep = (tables, ...given) => (tables.locks ? keepAtOnce : keepInSteps)(tables, ...given)

const keepAtOnce: Keep = async (tables, hold, results, tally, given) => {
  const { rows } = await sql<Kept>`${prepared}
    with locked as materialized (
      select job.*, ${tables.clock(given)} as now from multistatus_job job where id = ${hold.job} for update
    ), ended as (${endChunk(hold, results, tally, sql`and exists (select from locked)`)}), cleared as (
      ${clearParts(hold)} and exists (select from ended)
    ), due as (
      update multistatus_job_chunk chunk set heard_at = locked.now from locked
      where chunk.job = locked.id and chunk.idx = locked.sent and chunk.state = 'waiting' and exists (select from ended)
      returning chunk.idx, chunk.dispatch
    ), kept as (
      update multistatus_job job set ${counted(tally)}, updated_at = greatest(locked.now, locked.updated_at + 1)
      from locked where job.id = locked.id and exists (select from ended) returning job.*, locked.now
    )
    select to_json(kept) as job, coalesce((select json_agg(due) from due), '[]') as due from kept
  `.execute(tables.db)
  return rows[0]
}

const keepInSteps: Keep = async (tables, hold, results, tally, given) => {
  const locked = await tables.lock(hold.job, given)
  const ended = await endChunk(hold, results, tally, sql``).execute(tables.db)
  if (locked === undefined || ended.rows.length === 0) return undefined
  await clearParts(hold).execute(tables.db)
  const { id, now } = locked
  const due = await tables.send(id, locked.sent, Math.min(locked.chunks, locked.sent + 1), now)
  const jobs = await sql<JobRow>`
    update multistatus_job as job set ${counted(tally)}, updated_at = ${later(locked)} where id = ${id} returning *
  `.execute(tables.db)
  return { job: { ...jobs.rows[0]!, now }, due }
}

// Whoever changes a chunk has locked its job before.
const endChunk = (
  { job, chunk, epoch }: ChunkHold,
  results: string,
  { failed, skipped }: JobTally,
  condition: RawBuilder<unknown>,
) => sql`
  update multistatus_job_chunk
  set state = 'done', results = ${results}, payload = '', unsuccessful = ${failed + skipped}
  where job = ${job} and idx = ${chunk} and state = 'running' and epoch = ${epoch} ${condition} returning 1 as one`

const clearParts = ({ job, chunk }: ChunkHold) =>
  sql`delete from multistatus_job_part where job = ${job} and chunk = ${chunk}`

const counted = ({ succeeded, failed, skipped }: JobTally) => sql`
  succeeded = job.succeeded + ${succeeded}, failed = job.failed + ${failed}, skipped = job.skipped + ${skipped},
  sent = case when job.sent < job.chunks then job.sent + 1 else job.sent end`
