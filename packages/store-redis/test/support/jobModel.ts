import {
  type ChunkPart,
  type ChunkRef,
  type EndedChunk,
  Job,
  type JobAdmission,
  type JobExtent,
  type JobLimits,
  type JobRecord,
  type JobStore,
  type NewChunk,
  type NewJob,
} from "@multistatus/core"

interface Chunk extends NewChunk {
  state: "waiting" | "due" | "running" | "ended"
  epoch: number
  starts: number
  dispatch: number
  heardAt: number
  parts: Map<number, ChunkPart>
  results: string | undefined
  code: string | undefined
  isFailed: boolean
}

interface Entry {
  readonly job: NewJob
  record: JobRecord
  extent: JobExtent | undefined
  chunks: Array<Chunk>
  tombstone: number | undefined
  halt: string | undefined
}

/** What the doc comment of the port says, in the fewest words. */
export const jobModel = (): JobStore => {
  const jobs = new Map<string, Entry>()
  const change = (entry: Entry, fields: Partial<JobRecord>): void => {
    entry.record = { ...entry.record, ...fields }
  }
  const known = (id: string, now: number): Entry | undefined => {
    const entry = jobs.get(id)
    return entry === undefined || entry.tombstone !== undefined || entry.record.expiresAt <= now ? undefined : entry
  }
  const isOpen = ({ record: { state } }: Entry): boolean => state === "queued" || state === "running"
  const counting = () => [...jobs.values()].filter((entry) => entry.tombstone === undefined && isOpen(entry))
  const sum = (entries: ReadonlyArray<Entry>): number => entries.reduce((all, { record }) => all + record.total, 0)
  const refOf = ({ job }: Entry, { index, dispatch }: Chunk): ChunkRef => ({ job: job.id, chunk: index, dispatch })
  const send = (entry: Entry, count: number, now: number): ReadonlyArray<ChunkRef> => {
    if (entry.halt !== undefined) return []
    return entry.chunks
      .filter(({ state, epoch }) => state === "waiting" && epoch === 0)
      .slice(0, count)
      .map((chunk) => {
        chunk.state = "due"
        chunk.heardAt = now
        return refOf(entry, chunk)
      })
  }
  const stop = (entry: Entry, code: string): ReadonlyArray<ChunkRef> => {
    entry.halt ??= code
    const waiting = entry.chunks.filter(({ state }) => state === "waiting" || state === "due")
    const refs = waiting.filter(({ state }) => state === "due").map((chunk) => refOf(entry, chunk))
    for (const chunk of waiting) {
      chunk.state = "ended"
      chunk.code = entry.halt
      chunk.isFailed = true
      change(entry, { skipped: entry.record.skipped + chunk.operations })
    }
    return refs
  }
  const finish = (entry: Entry, keepMs: number, now: number): boolean => {
    if (entry.chunks.some(({ state }) => state !== "ended")) return false
    change(entry, { state: Job.endOf(entry.record, entry.record.isCancelled), expiresAt: now + keepMs })
    return true
  }
  const held = (id: string, chunk: number, epoch: number, now: number) => {
    const entry = known(id, now)
    const found = entry?.chunks[chunk]
    if (entry === undefined || !isOpen(entry) || found?.state !== "running" || found.epoch !== epoch) return undefined
    return { entry, chunk: found }
  }
  const open = (job: NewJob, now: number): void => {
    if (jobs.has(job.id)) return
    const { id, tenant, endpoint, settings } = job
    jobs.set(id, {
      job,
      record: {
        id,
        tenant,
        endpoint,
        settings,
        state: "uploading",
        total: 0,
        chunks: 0,
        isCancelled: false,
        createdAt: now,
        updatedAt: now,
        expiresAt: now + job.lifeMs,
        succeeded: 0,
        failed: 0,
        skipped: 0,
      },
      extent: undefined,
      chunks: [],
      tombstone: undefined,
      halt: undefined,
    })
  }
  const append = (id: string, chunks: ReadonlyArray<NewChunk>, now: number): boolean => {
    const entry = known(id, now)
    if (entry?.record.state !== "uploading") return false
    for (const chunk of chunks) {
      entry.chunks[chunk.index] ??= {
        ...chunk,
        state: "waiting",
        epoch: 0,
        starts: 0,
        dispatch: 0,
        heardAt: now,
        parts: new Map(),
        results: undefined,
        code: undefined,
        isFailed: false,
      }
    }
    return true
  }
  const admit = (id: string, extent: JobExtent, limits: JobLimits, now: number): JobAdmission => {
    const entry = known(id, now)
    if (entry === undefined) return { _tag: "gone" }
    if (entry.record.state !== "uploading") {
      return {
        _tag: "accepted",
        due: entry.chunks.filter(({ state }) => state === "due").map((chunk) => refOf(entry, chunk)),
      }
    }
    const refuse = (admission: JobAdmission): JobAdmission => {
      jobs.delete(id)
      return admission
    }
    const { key, tenant } = entry.job
    const other = [...jobs.values()].find(
      (one) => key !== undefined && one.job.key === key && one.extent !== undefined && known(one.job.id, now) === one,
    )
    if (other !== undefined) {
      const isSame = other.extent!.fingerprint === extent.fingerprint
      return refuse({ _tag: "exists", id: other.job.id, isSame })
    }
    const open = counting()
    if (sum(open) + extent.total > limits.queuedOperations) return refuse({ _tag: "full", queued: sum(open) })
    if (
      tenant !== undefined &&
      open.filter(({ job }) => job.tenant === tenant).length >= (limits.jobsPerTenant ?? Infinity)
    ) {
      return refuse({ _tag: "tenant-full" })
    }
    if (entry.chunks.length !== extent.chunks) throw new Error("Another extent")
    entry.extent = extent
    change(entry, { state: "queued", total: extent.total, chunks: extent.chunks, updatedAt: now })
    return { _tag: "accepted", due: send(entry, extent.window, now) }
  }

  return {
    isTransactional: false,
    submit: async (job, extent, chunks, limits, _options, now = 0) => {
      open(job, now)
      append(job.id, chunks, now)
      return admit(job.id, extent, limits, now)
    },
    open: async (job, now = 0) => open(job, now),
    append: async (id, chunks, now = 0) => append(id, chunks, now),
    close: async (id, extent, limits, _options, now = 0) => admit(id, extent, limits, now),
    discard: async (id) => {
      if (jobs.get(id)?.record.state === "uploading") jobs.delete(id)
    },
    start: async ({ job, chunk: index }, now = 0) => {
      const entry = known(job, now)
      const chunk = entry?.chunks[index]
      if (entry === undefined || chunk === undefined || !isOpen(entry) || chunk.state === "ended") return undefined
      Object.assign(chunk, { state: "running", epoch: chunk.epoch + 1, starts: chunk.starts + 1, heardAt: now })
      if (entry.record.state === "queued") change(entry, { state: "running", updatedAt: now })
      const parts: Array<ChunkPart> = []
      for (let at = 0, part = chunk.parts.get(0); part !== undefined; part = chunk.parts.get(at)) {
        parts.push(part)
        at += part.tally.succeeded + part.tally.failed + part.tally.skipped
      }
      const { first, operations, payload, epoch, starts } = chunk
      return { index, first, operations, payload, hold: { job, chunk: index, epoch }, starts, parts, job: entry.record }
    },
    checkpoint: async ({ job, chunk, epoch }, part, now = 0) => {
      const found = held(job, chunk, epoch, now)
      found?.chunk.parts.set(part.at, part)
      if (found !== undefined) found.chunk.heardAt = now
      return found !== undefined
    },
    commit: async ({ job, chunk: index, epoch }, { results, tally, halt }, keepMs, _options, now = 0) => {
      const found = held(job, index, epoch, now)
      if (found === undefined) return { _tag: "refused" }
      const { entry, chunk } = found
      Object.assign(chunk, { state: "ended", results, isFailed: tally.failed + tally.skipped > 0 })
      const { succeeded, failed, skipped } = entry.record
      change(entry, {
        succeeded: succeeded + tally.succeeded,
        failed: failed + tally.failed,
        skipped: skipped + tally.skipped,
        updatedAt: now,
      })
      if (halt !== undefined && entry.halt === undefined) stop(entry, halt)
      const due = send(entry, 1, now)
      return { _tag: "kept", due, hasEnded: finish(entry, keepMs, now) }
    },
    postpone: async ({ job, chunk: index, epoch }, delayMs, now = 0) => {
      const found = held(job, index, epoch, now)
      if (found === undefined) return undefined
      Object.assign(found.chunk, { state: "due", dispatch: found.chunk.dispatch + 1, heardAt: now + delayMs })
      return refOf(found.entry, found.chunk)
    },
    find: async (id, now = 0) => {
      const entry = jobs.get(id)
      if (entry === undefined || entry.record.state === "uploading") return undefined
      if (entry.tombstone === undefined) return entry.record
      return entry.tombstone <= now ? undefined : { state: "forgotten", id, tenant: entry.job.tenant }
    },
    results: async (id, { from, limit, onlyFailed }) => {
      const entry = jobs.get(id)
      const chunks: Array<EndedChunk> = []
      if (entry?.extent === undefined || entry.tombstone !== undefined) return { chunks, next: from, isLast: true }
      let next = from
      while (next < entry.chunks.length && chunks.length < limit && entry.chunks[next]!.state === "ended") {
        const { index, first, operations, results, code, isFailed } = entry.chunks[next++]!
        if (!onlyFailed || isFailed) chunks.push({ index, first, operations, results, code })
      }
      return { chunks, next, isLast: next >= entry.chunks.length }
    },
    cancel: async (id, keepMs, now = 0) => {
      const entry = known(id, now)
      if (entry === undefined || entry.record.state === "uploading") return undefined
      if (!isOpen(entry)) return []
      change(entry, { isCancelled: true, updatedAt: now })
      const refs = stop(entry, "CANCELLED")
      finish(entry, keepMs, now)
      return refs
    },
    cancelled: async (ids) =>
      ids.filter((id) => {
        const entry = jobs.get(id)
        return entry === undefined || entry.tombstone !== undefined || entry.record.isCancelled
      }),
    overdue: async (silentMs, limit, now = 0) =>
      [...jobs.values()]
        .filter((entry) => known(entry.job.id, now) === entry && isOpen(entry))
        .flatMap((entry) => entry.chunks.map((chunk) => ({ entry, chunk })))
        .filter(({ chunk: { state } }) => state === "due" || state === "running")
        .filter(({ chunk }) => chunk.heardAt <= now - silentMs)
        .slice(0, limit)
        .map(({ entry, chunk }) => {
          chunk.dispatch++
          chunk.heardAt = now
          return refOf(entry, chunk)
        }),
    sweep: async (limit, tombstoneMs, now = 0) => {
      const all = [...jobs.values()].filter(({ extent }) => extent !== undefined)
      const over = all
        .filter(({ tombstone, record }) => tombstone === undefined && record.expiresAt <= now)
        .slice(0, limit)
      for (const entry of over) entry.tombstone = now + tombstoneMs
      const buried = all.filter(({ tombstone }) => tombstone !== undefined && tombstone <= now).slice(0, limit)
      for (const { job } of buried) jobs.delete(job.id)
      return over.length + buried.length
    },
    queued: async () => sum(counting()),
  }
}
