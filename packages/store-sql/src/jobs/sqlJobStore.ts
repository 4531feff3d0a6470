/**
 * Jobs in an SQL database, through Kysely: their operations, how far they are, and their results.
 */
import {
  type ChunkRef,
  Job,
  type JobAcceptance,
  type JobExtent,
  type JobLimits,
  type JobStore,
  type JobTally,
} from "@multistatus/core/store"
import type { Kysely } from "kysely"

import { begin, keep } from "./chunkSteps.ts"
import { isAccepted, isOpen, toEnded, toRecord, toRef } from "./JobRows.ts"
import { JobTables, later, type TimedJob } from "./JobTables.ts"
import { retryTransient } from "../transactions/retryTransient.ts"
import { openSession } from "../database/Session.ts"

/**
 * Makes the job store of a database: PostgreSQL, PGlite or SQLite. `migrate` has to have been run on it.
 *
 * **Details** Every call is one transaction, which locks the row of its job first, or takes part in the one that it is
 * handed. What it keeps of a job counts against limits by the one row of `multistatus_job_usage`. Time is the database's.
 * A call that a deadlock or a serialization failure made fail is sent again.
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
    return retryTransient(() => plain.transaction().execute((handle) => work(new JobTables(handle, dialect), handle)))
  }

  /** Without a transaction. */
  const alone = new JobTables(plain, dialect)

  // What PostgreSQL does in one statement takes several in SQLite, where no time is lost between them.
  const single = <A>(work: (tables: JobTables) => Promise<A>): Promise<A> =>
    dialect === "sqlite" ? inside(undefined, work) : retryTransient(() => work(alone))

  const admit = async (
    tables: JobTables,
    job: TimedJob,
    extent: JobExtent,
    limits: JobLimits,
  ): Promise<JobAcceptance> => {
    if (isAccepted(job)) {
      const due = await tables.waiting(job.id, 0, Math.min(extent.window, job.chunks))
      return { _tag: "accepted", due: due.map(toRef(job.id)) }
    }
    // Whoever admits waits for its turn here, so that two jobs of one key, or of one tenant, see each other.
    const { queued, fits } = await tables.reserve(extent.total, limits.queuedOperations)
    const refuse = async (admission: JobAcceptance) => {
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
    await tables.accept(job, extent)
    const due = await tables.send(job.id, 0, Math.min(extent.window, extent.chunks), job.now)
    return { _tag: "accepted", due: due.map(toRef(job.id)) }
  }

  // Counts operations that will not begin, and ends the job when nothing of it is left to be run; whether it has.
  const settle = async (
    tables: JobTables,
    job: TimedJob,
    { skipped, isCancelled, keepMs, updatedAt }: Settling,
  ): Promise<boolean> => {
    const hasEnded = !(await tables.hasMore(job.id))
    if (!hasEnded && skipped === 0 && !isCancelled) return false
    const tally = { succeeded: job.succeeded, failed: job.failed, skipped: job.skipped + skipped }
    const isStopped = isCancelled || job.is_cancelled === 1
    const state = hasEnded ? Job.endOf(tally, isStopped) : (job.state as Job.JobState)
    const expiresAt = hasEnded ? job.now + keepMs : Number(job.expires_at)
    await tables.tell(job.id, { tally, state, isCancelled: isStopped, expiresAt, updatedAt })
    return hasEnded
  }

  return {
    isTransactional: true,
    submit: (job, extent, chunks, limits, { transaction, alongside } = {}, given) =>
      inside(transaction, async (tables, handle) => {
        const now = await tables.now(given)
        await tables.insert(job, now)
        const row = (await tables.lock(job.id, now))!
        if (!isAccepted(row)) await tables.insertChunks(job.id, chunks)
        const admission = await admit(tables, row, extent, limits)
        if (admission._tag === "accepted") await alongside?.(handle, admission.due)
        return admission
      }),
    open: (job, given) => inside(undefined, async (tables) => tables.insert(job, await tables.now(given))),
    append: (id, chunks, given) =>
      inside(undefined, async (tables) => {
        const job = await tables.lock(id, given)
        if (job?.state !== "uploading" || Number(job.expires_at) <= job.now) return false
        const known = await tables.countChunks(id)
        await tables.insertChunks(
          id,
          chunks.filter(({ index }) => index >= known),
        )
        return true
      }),
    close: (id, extent, limits, { transaction, alongside } = {}, given) =>
      inside(transaction, async (tables, handle) => {
        const job = await tables.lock(id, given)
        if (job === undefined || (job.state === "uploading" && Number(job.expires_at) <= job.now))
          return { _tag: "gone" }
        const admission = await admit(tables, job, extent, limits)
        if (admission._tag === "accepted") await alongside?.(handle, admission.due)
        return admission
      }),
    discard: (id) =>
      inside(undefined, async (tables) => {
        const job = await tables.lock(id, undefined)
        if (job?.state === "uploading") await tables.drop(id)
      }),
    start: async (ref, given) => {
      const { job: id, chunk: index } = ref
      const begun = await single((tables) => begin(tables, ref, given))
      if (begun === undefined) return undefined
      const { first, operations, payload, epoch, starts } = begun.chunk
      // Nobody kept anything of a chunk that nobody has begun; and whoever has cannot keep anything more.
      const parts = epoch === 1 ? [] : await alone.parts(id, index)
      return {
        index,
        first,
        operations,
        payload,
        hold: { job: id, chunk: index, epoch },
        starts,
        parts: parts.map(({ at, results, ...tally }) => ({ at, results, tally })),
        job: toRecord(begun.job),
      }
    },
    checkpoint: (hold, part, given) =>
      inside(undefined, async (tables) => {
        if (!(await tables.hear(hold, true, given))) return false
        await tables.keepPart(hold, part)
        return true
      }),
    keepAlive: (hold, given) => retryTransient(() => alone.hear(hold, false, given)),
    commit: (hold, { results, tally, halt }, keepMs, { transaction, alongside } = {}, given) =>
      inside(transaction, async (tables, handle) => {
        const kept = await keep(tables, hold, results, tally, given)
        if (kept === undefined) return { _tag: "refused" }
        const { job } = kept
        const skipped = halt === undefined ? 0 : await tables.halt(job.id, halt)
        // What was not sent before has not begun, so that halting has ended it.
        const due = halt === undefined ? kept.due.map(toRef(job.id)) : []
        const hasEnded =
          due.length === 0 &&
          (await settle(tables, job, { skipped, isCancelled: false, keepMs, updatedAt: Number(job.updated_at) }))
        await alongside?.(handle, due)
        // Last, since every other transaction that ends a chunk waits for it.
        await tables.release(endedOf(tally) + skipped)
        return { _tag: "kept", due, hasEnded }
      }),
    postpone: (hold, delayMs, given) =>
      inside(undefined, async (tables) => {
        const job = await tables.lock(hold.job, given)
        const chunk = await tables.held(hold)
        if (job === undefined || chunk === undefined) return undefined
        // Of a job that is to stop, nothing has anything to wait for.
        await tables.postpone(hold, chunk, job.is_cancelled === 1 ? 0 : job.now + Math.ceil(delayMs))
        return { job: hold.job, chunk: hold.chunk, dispatch: chunk.dispatch + 1 }
      }),
    find: async (id, given) => {
      const job = await alone.find(id, given)
      if (job === undefined || !isAccepted(job)) return undefined
      const isForgotten = job.state === "forgotten" || Number(job.expires_at) <= job.now
      return isForgotten ? { state: "forgotten", id, tenant: job.tenant ?? undefined } : toRecord(job)
    },
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
        const job = await tables.lock(id, given)
        if (job === undefined || !isAccepted(job) || job.state === "forgotten") return undefined
        if (!isOpen(job)) return []
        const refs = (await tables.unbegun(id, 0, job.sent)).map(toRef(id))
        const skipped = await tables.halt(id, "CANCELLED")
        await tables.hasten(id)
        await settle(tables, job, { skipped, isCancelled: true, keepMs, updatedAt: later(job) })
        await tables.release(skipped)
        return refs
      }),
    cancelled: async (ids) => (ids.length === 0 ? [] : alone.stopped(ids)),
    overdue: (silentMs, limit, given) =>
      inside(undefined, async (tables) => {
        const now = await tables.now(given)
        return tables.overdue(silentMs, limit, now)
      }),
    sweep: async (limit, tombstoneMs, given) => {
      const ids = await inside(undefined, async (tables) => tables.expired(limit, await tables.now(given)))
      // One job at a time: a large one has many rows.
      for (const id of ids) {
        await inside(undefined, async (tables) => {
          const job = await tables.lock(id, given)
          if (job === undefined || Number(job.expires_at) > job.now) return
          if (!isAccepted(job) || job.state === "forgotten") return tables.drop(id)
          await tables.dropChunks(id)
          await tables.forget(id, job.now + tombstoneMs)
          if (isOpen(job)) await tables.release(job.total - endedOf(job))
        })
      }
      return ids.length
    },
    queued: () => alone.queued(),
  }
}

interface Settling {
  /** Operations that will not begin. */
  readonly skipped: number
  readonly isCancelled: boolean
  readonly keepMs: number
  readonly updatedAt: number
}

const endedOf = ({ succeeded, failed, skipped }: JobTally): number => succeeded + failed + skipped
