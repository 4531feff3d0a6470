/** The tables of the job store on one connection, and the steps that change several of them. */
import { Job, type JobAcceptance, type JobExtent, type JobLimits } from "@multistatus/core/store"

import { ChunkTable } from "./ChunkTable.ts"
import type { JobConnection } from "./JobConnection.ts"
import { isAccepted, type TimedJob, toRef } from "./JobRows.ts"
import { JobTable } from "./JobTable.ts"

/** A change of a job. @internal */
export interface JobChange {
  /** Number of operations that are skipped now. */
  readonly skipped: number
  /** Whether the job is cancelled now. */
  readonly isCancelled: boolean
  readonly keepMs: number
  readonly updatedAt: number
}

/** @internal */
export class JobTables {
  readonly connection: JobConnection
  readonly jobs: JobTable
  readonly chunks: ChunkTable

  constructor(connection: JobConnection) {
    this.connection = connection
    this.jobs = new JobTable(connection)
    this.chunks = new ChunkTable(connection)
  }

  /** Accepts a job that is locked, or drops it. */
  async accept(job: TimedJob, extent: JobExtent, limits: JobLimits): Promise<JobAcceptance> {
    const { jobs, chunks } = this
    if (isAccepted(job)) {
      const waiting = await chunks.waiting(job.id, Math.min(extent.window, job.chunks))
      return { _tag: "accepted", due: waiting.map(toRef(job.id)) }
    }
    // Concurrent calls wait for each other here, so that two jobs with one key, or of one tenant, see each other.
    const { queued, fits } = await jobs.reserve(extent.total, limits.queuedOperations)
    const refuse = async (acceptance: JobAcceptance) => {
      if (fits) await jobs.release(extent.total)
      await this.drop(job.id)
      return acceptance
    }
    const namesake = job.wanted_key === null ? undefined : await jobs.findByKey(job.wanted_key)
    if (namesake !== undefined) {
      return refuse({ _tag: "exists", id: namesake.id, isSame: namesake.fingerprint === extent.fingerprint })
    }
    if (!fits) return refuse({ _tag: "full", queued })
    if (limits.jobsPerTenant !== undefined && (await jobs.countOpen(job.tenant)) >= limits.jobsPerTenant) {
      return refuse({ _tag: "tenant-full" })
    }
    await jobs.accept(job, extent)
    const due = await chunks.send(job.id, 0, Math.min(extent.window, extent.chunks), job.now)
    return { _tag: "accepted", due: due.map(toRef(job.id)) }
  }

  /** Deletes a job and its chunks. */
  async drop(id: string): Promise<void> {
    await this.chunks.delete(id)
    await this.jobs.delete(id)
  }

  /** Updates a job that is locked, and ends it if none of its chunks is open. Returns whether it has ended. */
  async update(job: TimedJob, { skipped, isCancelled, keepMs, updatedAt }: JobChange): Promise<boolean> {
    const hasEnded = !(await this.chunks.hasOpen(job.id))
    if (!hasEnded && skipped === 0 && !isCancelled) return false
    const tally = { succeeded: job.succeeded, failed: job.failed, skipped: job.skipped + skipped }
    const isCancelledNow = isCancelled || job.is_cancelled === 1
    await this.jobs.update(job.id, {
      tally,
      state: hasEnded ? Job.finalState(tally, isCancelledNow) : (job.state as Job.JobState),
      isCancelled: isCancelledNow,
      expiresAt: hasEnded ? job.now + keepMs : Number(job.expires_at),
      updatedAt,
    })
    return hasEnded
  }
}
