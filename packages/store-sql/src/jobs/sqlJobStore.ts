/** Stores jobs in an SQL database, through Kysely. */
import { type ChunkHold, type ChunkRef, Job, type JobStore } from "@multistatus/core/store"
import type { Kysely } from "kysely"

import { openSession } from "../database/Session.ts"
import { retryTransient } from "../transactions/retryTransient.ts"
import { endChunk, startChunk } from "./chunkSteps.ts"
import { JobConnection } from "./JobConnection.ts"
import { isAccepted, isExpired, isOpen, nextUpdate, toEnded, toRecord, toRef } from "./JobRows.ts"
import { JobTables } from "./JobTables.ts"

/**
 * Makes the job store of a database: PostgreSQL, PGlite or SQLite. Run `migrate` on the database before.
 *
 * **Details** Every call is one transaction, which locks the row of its job first; or it takes part in the transaction that it
 * gets. A call that fails because of a deadlock or a serialization failure is retried. Unfinished operations are counted in the
 * one row of `multistatus_job_usage`. Time is that of the database.
 */
export const sqlJobStore = <DB>(db: Kysely<DB>): JobStore => {
  const plain = db.withoutPlugins() as unknown as Kysely<unknown>
  const { dialect } = openSession(plain)
  if (dialect === "mysql") {
    throw new TypeError(
      "Jobs cannot be stored in MySQL or MariaDB: use redisJobs of @multistatus/store-redis, or memoryJobs",
    )
  }

  const tablesOn = (handle: Kysely<unknown>) => new JobTables(new JobConnection(handle, dialect))

  const inTransaction = <A>(
    transaction: unknown,
    work: (tables: JobTables, handle: unknown) => Promise<A>,
  ): Promise<A> =>
    transaction === undefined
      ? retryTransient(() => plain.transaction().execute((handle) => work(tablesOn(handle), handle)))
      : work(tablesOn((transaction as Kysely<unknown>).withoutPlugins()), transaction)

  /** Without a transaction. */
  const direct = tablesOn(plain)

  return {
    isTransactional: true,
    submit: (job, extent, chunks, limits, { transaction, alongside } = {}, given) =>
      inTransaction(transaction, async (tables, handle) => {
        const now = await tables.connection.now(given)
        await tables.jobs.insert(job, now)
        const row = (await tables.jobs.lock(job.id, now))!
        if (!isAccepted(row)) await tables.chunks.insert(job.id, chunks)
        const acceptance = await tables.accept(row, extent, limits)
        if (acceptance._tag === "accepted") await alongside?.(handle, acceptance.due)
        return acceptance
      }),
    open: (job, given) =>
      inTransaction(undefined, async ({ connection, jobs }) => jobs.insert(job, await connection.now(given))),
    append: (id, chunks, given) =>
      inTransaction(undefined, async (tables) => {
        const job = await tables.jobs.lock(id, given)
        if (job?.state !== "uploading" || isExpired(job)) return false
        const count = await tables.chunks.count(id)
        await tables.chunks.insert(
          id,
          chunks.filter(({ index }) => index >= count),
        )
        return true
      }),
    close: (id, extent, limits, { transaction, alongside } = {}, given) =>
      inTransaction(transaction, async (tables, handle) => {
        const job = await tables.jobs.lock(id, given)
        if (job === undefined || (job.state === "uploading" && isExpired(job))) return { _tag: "gone" }
        const acceptance = await tables.accept(job, extent, limits)
        if (acceptance._tag === "accepted") await alongside?.(handle, acceptance.due)
        return acceptance
      }),
    discard: (id) =>
      inTransaction(undefined, async (tables) => {
        const job = await tables.jobs.lock(id, undefined)
        if (job?.state === "uploading") await tables.drop(id)
      }),
    start: async (ref, given) => {
      const { job: id, chunk: index } = ref
      const started =
        dialect === "sqlite"
          ? await inTransaction(undefined, ({ connection }) => startChunk(connection, ref, given))
          : await retryTransient(() => startChunk(direct.connection, ref, given))
      if (started === undefined) return undefined
      const { first, operations, payload, epoch, starts } = started.chunk
      // Before the second start there are no parts. Afterwards, this start has ended the hold that could add one.
      const parts = epoch === 1 ? [] : await direct.chunks.parts(id, index)
      const hold: ChunkHold = { job: id, chunk: index, epoch }
      return { index, first, operations, payload, hold, starts, parts, job: toRecord(started.job) }
    },
    checkpoint: (hold, part, given) =>
      inTransaction(undefined, async ({ chunks }) => {
        if (!(await chunks.keepAlive(hold, true, given))) return false
        await chunks.insertPart(hold, part)
        return true
      }),
    keepAlive: (hold, given) => retryTransient(() => direct.chunks.keepAlive(hold, false, given)),
    commit: (hold, outcome, keepMs, { transaction, alongside } = {}, given) =>
      inTransaction(transaction, async (tables, handle) => {
        const ended = await endChunk(tables.connection, hold, outcome, given)
        if (ended === undefined) return { _tag: "refused" }
        const { job } = ended
        const { outcomes, halt } = outcome
        const skipped = halt === undefined ? 0 : await tables.chunks.halt(job.id, halt)
        // A chunk that has become due just now has not started, so that `halt` has ended it.
        const due = halt === undefined ? ended.due.map(toRef(job.id)) : []
        const change = { skipped, isCancelled: false, keepMs, updatedAt: Number(job.updated_at) }
        const hasEnded = due.length === 0 && (await tables.update(job, change))
        await alongside?.(handle, due)
        // Last, because other transactions that end chunks wait for this row.
        await tables.jobs.release(outcomes.length + skipped)
        return { _tag: "kept", due, hasEnded }
      }),
    postpone: (hold, delayMs, given, waitsFor) =>
      inTransaction(undefined, async ({ jobs, chunks }) => {
        const job = await jobs.lock(hold.job, given)
        const chunk = await chunks.lockHeld(hold)
        if (job === undefined || chunk === undefined) return undefined
        // A chunk of a cancelled job has nothing to wait for.
        await chunks.postpone(hold, chunk, job.is_cancelled === 1 ? 0 : job.now + Math.ceil(delayMs), waitsFor)
        return { job: hold.job, chunk: hold.chunk, dispatch: chunk.dispatch + 1 }
      }),
    find: async (id, given) => {
      const job = await direct.jobs.find(id, given)
      if (job === undefined || !isAccepted(job)) return undefined
      if (job.state === "forgotten" || isExpired(job)) {
        return { state: "forgotten", id, tenant: job.tenant ?? undefined }
      }
      const until = isOpen(job) ? await direct.chunks.waitsUntil(id, job.now) : undefined
      return { ...toRecord(job), ...(until !== undefined && { waiting: { for: "quota", until } }) }
    },
    results: (id, query) =>
      inTransaction(undefined, async ({ chunks }) => {
        const count = await chunks.count(id)
        const end = (await chunks.firstOpen(id, query.from)) ?? Math.max(query.from, count)
        const rows = await chunks.ended(id, query, end)
        const next = rows.length === query.limit ? rows.at(-1)!.idx + 1 : end
        return { chunks: rows.map(toEnded), next, isLast: next >= count }
      }),
    cancel: (id, keepMs, given) =>
      inTransaction(undefined, async (tables): Promise<ReadonlyArray<ChunkRef> | undefined> => {
        const job = await tables.jobs.lock(id, given)
        if (job === undefined || !isAccepted(job) || job.state === "forgotten") return undefined
        if (!isOpen(job)) return []
        const refs = (await tables.chunks.unstarted(id, job.sent)).map(toRef(id))
        const skipped = await tables.chunks.halt(id, "CANCELLED")
        await tables.chunks.endPostponement(id)
        await tables.update(job, { skipped, isCancelled: true, keepMs, updatedAt: nextUpdate(job) })
        await tables.jobs.release(skipped)
        return refs
      }),
    cancelled: (ids) => direct.jobs.cancelled(ids),
    overdue: (silentMs, limit, given) =>
      inTransaction(undefined, async ({ connection, chunks }) =>
        chunks.overdue(silentMs, limit, await connection.now(given)),
      ),
    sweep: async (limit, tombstoneMs, given) => {
      const ids = await inTransaction(undefined, async ({ connection, jobs }) =>
        jobs.expired(limit, await connection.now(given)),
      )
      // One transaction for each job, because a job may have many rows.
      for (const id of ids) {
        await inTransaction(undefined, async (tables) => {
          const job = await tables.jobs.lock(id, given)
          if (job === undefined || !isExpired(job)) return
          if (!isAccepted(job) || job.state === "forgotten") return tables.drop(id)
          await tables.chunks.delete(id)
          await tables.jobs.forget(id, job.now + tombstoneMs)
          if (isOpen(job)) await tables.jobs.release(job.total - Job.endedOf(job))
        })
      }
      return ids.length
    },
    due: (limit, given) => retryTransient(() => direct.chunks.due(limit, given)),
    queued: () => direct.jobs.queued(),
  }
}
