/** Stores jobs in the memory of this process. */
import type { DueChunk, JobAcceptance, JobExtent, JobLimits, NewJob } from "./Job.ts"
import type { JobStore } from "./JobStore.ts"
import { MemoryJob } from "./MemoryJob.ts"

/**
 * Makes a store of jobs in memory.
 *
 * **Gotchas** Accepted jobs are lost when the process ends, and other processes do not see them.
 */
export const memoryJobStore = (): JobStore => {
  const jobs = new Map<string, MemoryJob>()
  /** Ids of accepted jobs by their keys. */
  const idsByKey = new Map<string, string>()

  const open = (job: NewJob, now: number): MemoryJob => {
    const known = jobs.get(job.id)
    if (known !== undefined) return known
    const opened = new MemoryJob(job, now)
    jobs.set(job.id, opened)
    return opened
  }

  const drop = ({ definition: { id, key } }: MemoryJob) => {
    jobs.delete(id)
    if (key !== undefined && idsByKey.get(key) === id) idsByKey.delete(key)
  }

  const queued = () => [...jobs.values()].reduce((sum, { unfinished }) => sum + unfinished, 0)

  const accept = (job: MemoryJob, extent: JobExtent, limits: JobLimits, now: number): JobAcceptance => {
    if (job.extent !== undefined) return { _tag: "accepted", due: job.firstDue(extent.window) }
    const refusal = refusalOf(job, extent, limits)
    if (refusal !== undefined) {
      drop(job)
      return refusal
    }
    const { id, key } = job.definition
    if (key !== undefined) idsByKey.set(key, id)
    return { _tag: "accepted", due: job.accept(extent, now) }
  }

  const refusalOf = (
    { definition: { key, tenant } }: MemoryJob,
    extent: JobExtent,
    limits: JobLimits,
  ): JobAcceptance | undefined => {
    const namesake = key === undefined ? undefined : jobs.get(idsByKey.get(key) ?? "")
    if (namesake?.extent !== undefined) {
      return { _tag: "exists", id: namesake.definition.id, isSame: namesake.extent.fingerprint === extent.fingerprint }
    }
    const unfinished = queued()
    if (unfinished + extent.total > limits.queuedOperations) return { _tag: "full", queued: unfinished }
    const ofTenant = [...jobs.values()].filter((other) => other.isOpen && other.definition.tenant === tenant)
    return limits.jobsPerTenant !== undefined && ofTenant.length >= limits.jobsPerTenant
      ? { _tag: "tenant-full" }
      : undefined
  }

  return {
    isTransactional: false,
    submit: async (job, extent, chunks, limits, _, now = Date.now()) => {
      const opened = open(job, now)
      opened.append(chunks)
      return accept(opened, extent, limits, now)
    },
    open: async (job, now = Date.now()) => void open(job, now),
    append: async (id, chunks, now = Date.now()) => {
      const job = jobs.get(id)
      if (job?.state !== "uploading" || job.expiresAt <= now) return false
      job.append(chunks)
      return true
    },
    close: async (id, extent, limits, _, now = Date.now()) => {
      for (const job of jobs.values()) if (job.state === "uploading" && job.expiresAt <= now) drop(job)
      const job = jobs.get(id)
      return job === undefined ? { _tag: "gone" } : accept(job, extent, limits, now)
    },
    discard: async (id) => {
      const job = jobs.get(id)
      if (job?.state === "uploading") drop(job)
    },
    start: async (ref, now = Date.now()) => jobs.get(ref.job)?.start(ref, now),
    checkpoint: async (hold, part, now = Date.now()) => jobs.get(hold.job)?.checkpoint(hold, part, now) ?? false,
    keepAlive: async (hold, now = Date.now()) => jobs.get(hold.job)?.keepAlive(hold, now) ?? false,
    commit: async (hold, outcome, keepMs, _, now = Date.now()) =>
      jobs.get(hold.job)?.commit(hold, outcome, keepMs, now) ?? { _tag: "refused" },
    postpone: async (hold, delayMs, now = Date.now(), waitsFor) =>
      jobs.get(hold.job)?.postpone(hold, delayMs, now, waitsFor),
    find: async (id, now = Date.now()) => jobs.get(id)?.find(now),
    results: async (id, query) => jobs.get(id)?.results(query) ?? { chunks: [], next: query.from, isLast: true },
    cancel: async (id, keepMs, now = Date.now()) => jobs.get(id)?.cancel(keepMs, now),
    cancelled: async (ids) => ids.filter((id) => jobs.get(id)?.isStopped ?? true),
    overdue: async (silentMs, limit, now = Date.now()) => {
      const refs = []
      for (const job of jobs.values()) refs.push(...job.overdue(silentMs, limit - refs.length, now))
      return refs
    },
    sweep: async (limit, tombstoneMs, now = Date.now()) => {
      const expired = [...jobs.values()].filter(({ expiresAt }) => expiresAt <= now).slice(0, limit)
      for (const job of expired) {
        if (job.extent === undefined || job.state === "forgotten") {
          drop(job)
          continue
        }
        job.forget(now + tombstoneMs)
        const { key } = job.definition
        if (key !== undefined) idsByKey.delete(key)
      }
      return expired.length
    },
    due: async (limit, now = Date.now()) => {
      const oldest = new Map<string | undefined, DueChunk & { readonly since: number }>()
      for (const job of jobs.values()) {
        const { id, tenant } = job.definition
        const first = job.firstWaiting(now)
        if (first === undefined || first.since >= (oldest.get(tenant)?.since ?? Infinity)) continue
        oldest.set(tenant, { tenant, job: id, ...first })
      }
      const due = [...oldest.values()].sort((left, right) => left.since - right.since).slice(0, limit)
      return due.map(({ tenant, job, chunk }) => ({ tenant, job, chunk }))
    },
    queued: async () => queued(),
  }
}
