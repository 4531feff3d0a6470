/**
 * Jobs in an SQL database, through Kysely: their operations, how far they are, and their results.
 */
import {
  type ChunkRef,
  Job,
  type JobAdmission,
  type JobExtent,
  type JobLimits,
  type JobStore,
  type JobTally,
} from "@multistatus/core"
import type { Kysely } from "kysely"

import { isAccepted, isOpen, type JobRow, toEnded, toRecord, toRef } from "./JobRows.ts"
import { JobTables } from "./JobTables.ts"
import { patiently } from "./patiently.ts"
import { openSession } from "./Session.ts"

/**
 * Makes the job store of a database: PostgreSQL, PGlite or SQLite. `migrate` has to have been run on it.
 *
 * **Details** Every call is one transaction, which locks the row of its job first, or takes part in the one that it is
 * handed. What it keeps of a job counts against limits by the one row of `multistatus_job_usage`. Time is the database's.
 * A call that a deadlock or a serialization failure made fail is sent again.
 *
 * @category constructors
 * @since 0.1.0
 */
export const sqlJobStore = <DB>(db: Kysely<DB>): JobStore => {
  const plain = db.withoutPlugins() as unknown as Kysely<unknown>
  const { dialect } = openSession(plain)
  if (dialect === "mysql") {
    throw new TypeError("MySQL and MariaDB keep no jobs: use redisJobs of @multistatus/store-redis, or memoryJobs")
  }

  const inside = <A>(transaction: unknown, work: (tables: JobTables, handle: unknown) => Promise<A>): Promise<A> => {
    if (transaction !== undefined) {
      const handle = (transaction as Kysely<unknown>).withoutPlugins()
      return work(new JobTables(handle, dialect), transaction)
    }
    return patiently(() => plain.transaction().execute((handle) => work(new JobTables(handle, dialect), handle)))
  }

  const send = async (tables: JobTables, job: Pick<JobRow, "id" | "sent" | "chunks">, to: number, now: number) => {
    const end = Math.min(job.chunks, Math.max(job.sent, to))
    const due = await tables.waiting(job.id, job.sent, end)
    await tables.markSent(job.id, job.sent, end, now)
    return due.map(toRef(job.id))
  }

  const admit = async (
    tables: JobTables,
    job: JobRow,
    extent: JobExtent,
    limits: JobLimits,
    now: number,
  ): Promise<JobAdmission> => {
    if (isAccepted(job)) {
      const due = await tables.waiting(job.id, 0, Math.min(extent.window, job.chunks))
      return { _tag: "accepted", due: due.map(toRef(job.id)) }
    }
    // Whoever admits waits for its turn here, so that two jobs of one key, or of one tenant, see each other.
    const { queued, fits } = await tables.reserve(extent.total, limits.queuedOperations)
    const refuse = async (admission: JobAdmission) => {
      if (fits) await tables.release(extent.total)
      await tables.drop(job.id)
      return admission
    }
    const namesake = job.wanted_key === null ? undefined : await tables.holderOf(job.wanted_key)
    if (namesake !== undefined) {
      const isSame = namesake.fingerprint === extent.fingerprint
      return refuse({ _tag: "exists", id: namesake.id, isSame })
    }
    if (!fits) return refuse({ _tag: "full", queued })
    if (limits.jobsPerTenant !== undefined && (await tables.countOpen(job.tenant)) >= limits.jobsPerTenant) {
      return refuse({ _tag: "tenant-full" })
    }
    await tables.accept(job, extent, now)
    const due = await send(tables, { ...job, chunks: extent.chunks }, extent.window, now)
    return { _tag: "accepted", due }
  }

  // Ends the job when nothing of it is left to be run.
  const settle = async (
    tables: JobTables,
    job: JobRow,
    { tally, isCancelled, keepMs, now }: { tally: JobTally; isCancelled: boolean; keepMs: number; now: number },
  ): Promise<boolean> => {
    const hasEnded = !(await tables.hasMore(job.id))
    const state = hasEnded ? Job.endOf(tally, isCancelled) : (job.state as Job.JobState)
    await tables.tell(job, tally, state, isCancelled, hasEnded ? now + keepMs : Number(job.expires_at), now)
    await tables.release(endedOf(tally) - endedOf(job))
    return hasEnded
  }

  return {
    isTransactional: true,
    submit: (job, extent, chunks, limits, { transaction, alongside } = {}, given) =>
      inside(transaction, async (tables, handle) => {
        const now = await tables.now(given)
        await tables.insert(job, now)
        const row = (await tables.lock(job.id))!
        if (!isAccepted(row)) await tables.insertChunks(job.id, chunks)
        const admission = await admit(tables, row, extent, limits, now)
        if (admission._tag === "accepted") await alongside?.(handle, admission.due)
        return admission
      }),
    open: (job, given) => inside(undefined, async (tables) => tables.insert(job, await tables.now(given))),
    append: (id, chunks, given) =>
      inside(undefined, async (tables) => {
        const now = await tables.now(given)
        const job = await tables.lock(id)
        if (job?.state !== "uploading" || Number(job.expires_at) <= now) return false
        const known = await tables.countChunks(id)
        await tables.insertChunks(
          id,
          chunks.filter(({ index }) => index >= known),
        )
        return true
      }),
    close: (id, extent, limits, { transaction, alongside } = {}, given) =>
      inside(transaction, async (tables, handle) => {
        const now = await tables.now(given)
        const job = await tables.lock(id)
        if (job === undefined || (job.state === "uploading" && Number(job.expires_at) <= now)) return { _tag: "gone" }
        const admission = await admit(tables, job, extent, limits, now)
        if (admission._tag === "accepted") await alongside?.(handle, admission.due)
        return admission
      }),
    discard: (id) =>
      inside(undefined, async (tables) => {
        const job = await tables.lock(id)
        if (job?.state === "uploading") await tables.drop(id)
      }),
    start: ({ job: id, chunk: index }, given) =>
      inside(undefined, async (tables) => {
        const now = await tables.now(given)
        const job = await tables.lock(id)
        if (job === undefined || !isOpen(job) || Number(job.expires_at) <= now) return undefined
        const chunk = await tables.chunk(id, index)
        if (chunk === undefined || (chunk.state !== "waiting" && chunk.state !== "running")) return undefined
        await tables.run(job, chunk, now)
        const parts = await tables.parts(id, index)
        const { first, operations, payload } = chunk
        return {
          index,
          first,
          operations,
          payload,
          hold: { job: id, chunk: index, epoch: chunk.epoch + 1 },
          starts: chunk.starts + 1,
          parts: parts.map(({ at, results, ...tally }) => ({ at, results, tally })),
          job: toRecord((await tables.find(id))!),
        }
      }),
    checkpoint: (hold, part, given) =>
      inside(undefined, async (tables) => {
        if ((await tables.held(hold)) === undefined) return false
        await tables.keepPart(hold, part, await tables.now(given))
        return true
      }),
    commit: (hold, { results, tally, halt }, keepMs, { transaction, alongside } = {}, given) =>
      inside(transaction, async (tables, handle) => {
        const now = await tables.now(given)
        const job = await tables.lock(hold.job)
        if (job === undefined || (await tables.held(hold)) === undefined) return { _tag: "refused" }
        await tables.end(hold, results, tally)
        const skipped = halt === undefined ? 0 : await tables.halt(job.id, halt)
        const after = plus(plus(job, tally), { succeeded: 0, failed: 0, skipped })
        const due = await send(tables, job, job.sent + 1, now)
        const hasEnded = await settle(tables, job, { tally: after, isCancelled: job.is_cancelled === 1, keepMs, now })
        await alongside?.(handle, due)
        return { _tag: "kept", due, hasEnded }
      }),
    postpone: (hold, delayMs, given) =>
      inside(undefined, async (tables) => {
        const chunk = await tables.held(hold)
        if (chunk === undefined) return undefined
        await tables.postpone(hold, chunk, (await tables.now(given)) + Math.ceil(delayMs))
        return { job: hold.job, chunk: hold.chunk, dispatch: chunk.dispatch + 1 }
      }),
    find: (id, given) =>
      inside(undefined, async (tables) => {
        const job = await tables.find(id)
        if (job === undefined || !isAccepted(job)) return undefined
        const isForgotten = job.state === "forgotten" || Number(job.expires_at) <= (await tables.now(given))
        return isForgotten ? { state: "forgotten", id, tenant: job.tenant ?? undefined } : toRecord(job)
      }),
    results: (id, { from, limit, onlyFailed }) =>
      inside(undefined, async (tables) => {
        const count = await tables.countChunks(id)
        const end = (await tables.firstOpen(id, from)) ?? Math.max(from, count)
        const rows = await tables.ended(id, from, end, limit, onlyFailed)
        const next = rows.length === limit ? rows.at(-1)!.idx + 1 : end
        return { chunks: rows.map(toEnded), next, isLast: next >= count }
      }),
    cancel: (id, keepMs, given) =>
      inside(undefined, async (tables): Promise<ReadonlyArray<ChunkRef> | undefined> => {
        const now = await tables.now(given)
        const job = await tables.lock(id)
        if (job === undefined || !isAccepted(job) || job.state === "forgotten") return undefined
        if (!isOpen(job)) return []
        const refs = (await tables.unbegun(id, 0, job.sent)).map(toRef(id))
        const skipped = await tables.halt(id, "CANCELLED")
        await tables.hasten(id)
        const tally = plus(job, { succeeded: 0, failed: 0, skipped })
        await settle(tables, job, { tally, isCancelled: true, keepMs, now })
        return refs
      }),
    cancelled: async (ids) => (ids.length === 0 ? [] : inside(undefined, (tables) => tables.stopped(ids))),
    overdue: (silentMs, limit, given) =>
      inside(undefined, async (tables) => {
        const now = await tables.now(given)
        return tables.overdue(now - silentMs, limit, now)
      }),
    sweep: async (limit, tombstoneMs, given) => {
      const ids = await inside(undefined, async (tables) => tables.expired(limit, await tables.now(given)))
      // One job at a time: a large one has many rows.
      for (const id of ids) {
        await inside(undefined, async (tables) => {
          const now = await tables.now(given)
          const job = await tables.lock(id)
          if (job === undefined || Number(job.expires_at) > now) return
          if (!isAccepted(job) || job.state === "forgotten") return tables.drop(id)
          await tables.dropChunks(id)
          await tables.forget(id, now + tombstoneMs)
          if (isOpen(job)) await tables.release(job.total - endedOf(job))
        })
      }
      return ids.length
    },
    queued: () => inside(undefined, (tables) => tables.queued()),
  }
}

const endedOf = ({ succeeded, failed, skipped }: JobTally): number => succeeded + failed + skipped

const plus = (left: JobTally, right: JobTally): JobTally => ({
  succeeded: left.succeeded + right.succeeded,
  failed: left.failed + right.failed,
  skipped: left.skipped + right.skipped,
})
