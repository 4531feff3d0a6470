/** Keeps jobs in the memory of this process: they die with it. */
import * as Job from "./Job.ts"
import type { JobStore } from "./JobStore.ts"

interface Chunk extends Job.NewChunk {
  state: "waiting" | "running" | "done" | "halted"
  epoch: number
  starts: number
  dispatch: number
  /** The dispatch by which it runs. */
  heldBy: number
  /** When something was heard of it last; of one that is not due yet, nothing needs to be. */
  heardAt: number | undefined
  parts: ReadonlyArray<Job.ChunkPart>
  results: string | undefined
  code: string | undefined
  hasFailures: boolean
}

interface Entry {
  readonly job: Job.NewJob
  readonly chunks: Array<Chunk>
  extent: Job.JobExtent | undefined
  state: Job.JobState | "forgotten"
  tally: Job.JobTally
  isCancelled: boolean
  /** Chunks that are due, or were. */
  sent: number
  readonly createdAt: number
  updatedAt: number
  expiresAt: number
}

const none: Job.JobTally = { succeeded: 0, failed: 0, skipped: 0 }

/**
 * Makes a store of jobs in memory.
 *
 * **Gotchas** Jobs that were accepted are lost when the process ends, and nobody else sees them.
 */
export const memoryJobStore = (): JobStore => {
  const entries = new Map<string, Entry>()
  const keys = new Map<string, string>()
  // Its clock does not run backwards, nor does it stand still between two changes of one job.
  const clock = (now: number | undefined) => now ?? Date.now()

  const open = (job: Job.NewJob, now: number): Entry => {
    const known = entries.get(job.id)
    if (known !== undefined) return known
    const times = { createdAt: now, updatedAt: now, expiresAt: now + job.lifeMs }
    const entry: Entry = {
      job,
      chunks: [],
      extent: undefined,
      state: "uploading",
      tally: none,
      isCancelled: false,
      sent: 0,
      ...times,
    }
    entries.set(job.id, entry)
    return entry
  }

  const append = (entry: Entry, chunks: ReadonlyArray<Job.NewChunk>) => {
    for (const chunk of chunks) if (chunk.index === entry.chunks.length) entry.chunks.push(waiting(chunk))
  }

  const drop = (id: string) => {
    const entry = entries.get(id)
    entries.delete(id)
    if (entry?.job.key !== undefined && keys.get(entry.job.key) === id) keys.delete(entry.job.key)
  }

  const queued = () => {
    let sum = 0
    for (const { state, extent, tally } of entries.values()) {
      if (extent !== undefined && isOpen(state)) sum += extent.total - endedOf(tally)
    }
    return sum
  }

  const admit = (entry: Entry, extent: Job.JobExtent, limits: Job.JobLimits, now: number): Job.JobAcceptance => {
    const { id, key, tenant } = entry.job
    if (entry.extent !== undefined)
      return { _tag: "accepted", due: dueOf(entry, 0, Math.min(extent.window, entry.chunks.length)) }
    const namesake = key === undefined ? undefined : entries.get(keys.get(key) ?? "")
    if (namesake?.extent !== undefined) {
      drop(id)
      return { _tag: "exists", id: namesake.job.id, isSame: namesake.extent.fingerprint === extent.fingerprint }
    }
    const waitingNow = queued()
    if (waitingNow + extent.total > limits.queuedOperations) {
      drop(id)
      return { _tag: "full", queued: waitingNow }
    }
    const own = [...entries.values()].filter(
      (other) => other.job.tenant === tenant && other.extent !== undefined && isOpen(other.state),
    )
    if (limits.jobsPerTenant !== undefined && own.length >= limits.jobsPerTenant) {
      drop(id)
      return { _tag: "tenant-full" }
    }
    entry.extent = extent
    entry.state = "queued"
    touch(entry, now)
    if (key !== undefined) keys.set(key, id)
    return { _tag: "accepted", due: send(entry, extent.window, now) }
  }

  const heldBy = ({ job, chunk: index, epoch }: Job.ChunkHold) => {
    const entry = entries.get(job)
    const chunk = entry?.chunks[index]
    return entry !== undefined && chunk?.state === "running" && chunk.epoch === epoch ? { entry, chunk } : undefined
  }

  const endIfOver = (entry: Entry, keepMs: number, now: number): boolean => {
    if (entry.chunks.some(({ state }) => state === "waiting" || state === "running")) return false
    entry.state = Job.endOf(entry.tally, entry.isCancelled)
    entry.expiresAt = now + keepMs
    return true
  }

  // Uploads and jobs that did not end in time are given up, whole.
  const expire = (now: number) => {
    for (const [id, entry] of entries) if (entry.expiresAt <= now && entry.state === "uploading") drop(id)
  }

  return {
    isTransactional: false,
    submit: async (job, extent, chunks, limits, _, now) => {
      const entry = open(job, clock(now))
      append(entry, chunks)
      return admit(entry, extent, limits, clock(now))
    },
    open: async (job, now) => void open(job, clock(now)),
    append: async (id, chunks, now) => {
      const entry = entries.get(id)
      if (entry === undefined || entry.state !== "uploading" || entry.expiresAt <= clock(now)) return false
      append(entry, chunks)
      return true
    },
    close: async (id, extent, limits, _, now) => {
      expire(clock(now))
      const entry = entries.get(id)
      return entry === undefined ? { _tag: "gone" } : admit(entry, extent, limits, clock(now))
    },
    discard: async (id) => {
      if (entries.get(id)?.state === "uploading") drop(id)
    },
    start: async ({ job: id, chunk: index, dispatch }, now) => {
      const entry = entries.get(id)
      const chunk = entry?.chunks[index]
      if (entry === undefined || chunk === undefined || entry.extent === undefined || !isOpen(entry.state))
        return undefined
      if (chunk.state !== "waiting" && chunk.state !== "running") return undefined
      if (entry.expiresAt <= clock(now)) return undefined
      if (chunk.state === "running" && dispatch !== undefined && dispatch !== chunk.heldBy) return undefined
      chunk.state = "running"
      chunk.heldBy = dispatch ?? chunk.dispatch
      chunk.epoch++
      chunk.starts++
      chunk.heardAt = clock(now)
      entry.state = "running"
      touch(entry, clock(now))
      const { first, operations, payload, epoch, starts, parts } = chunk
      const hold = { job: id, chunk: index, epoch }
      return { index, first, operations, payload, hold, starts, parts, job: recordOf(entry) }
    },
    checkpoint: async (hold, part, now) => {
      const held = heldBy(hold)
      if (held === undefined) return false
      const { chunk } = held
      chunk.parts = [...chunk.parts.filter(({ at }) => at < part.at), part]
      chunk.starts = 1
      chunk.heardAt = clock(now)
      return true
    },
    keepAlive: async (hold, now) => {
      const held = heldBy(hold)
      if (held !== undefined) held.chunk.heardAt = clock(now)
      return held !== undefined
    },
    commit: async (hold, { results, tally, halt }, keepMs, _, now) => {
      const held = heldBy(hold)
      if (held === undefined) return { _tag: "refused" }
      const { entry, chunk } = held
      Object.assign(chunk, {
        state: "done",
        results,
        parts: [],
        payload: "",
        hasFailures: tally.failed + tally.skipped > 0,
      })
      entry.tally = plus(entry.tally, tally)
      if (halt !== undefined) haltWaiting(entry, halt)
      touch(entry, clock(now))
      const due = send(entry, entry.sent + 1, clock(now))
      return { _tag: "kept", due, hasEnded: endIfOver(entry, keepMs, clock(now)) }
    },
    postpone: async (hold, delayMs, now) => {
      const held = heldBy(hold)
      if (held === undefined) return undefined
      const { entry, chunk } = held
      chunk.state = "waiting"
      chunk.starts--
      chunk.dispatch++
      chunk.heardAt = entry.isCancelled ? 0 : clock(now) + delayMs
      return { job: hold.job, chunk: hold.chunk, dispatch: chunk.dispatch }
    },
    find: async (id, now) => {
      const entry = entries.get(id)
      if (entry?.extent === undefined) return undefined
      const { tenant } = entry.job
      if (entry.state === "forgotten" || entry.expiresAt <= clock(now)) return { state: "forgotten", id, tenant }
      return recordOf(entry)
    },
    results: async (id, { from, limit, onlyFailed }) => {
      const all = entries.get(id)?.chunks ?? []
      const chunks: Array<Job.EndedChunk> = []
      let next = from
      for (; next < all.length && chunks.length < limit; next++) {
        const { index, first, operations, state, results, code, hasFailures } = all[next]!
        if (state !== "done" && state !== "halted") break
        if (!onlyFailed || hasFailures) chunks.push({ index, first, operations, results, code })
      }
      return { chunks, next, isLast: next >= all.length }
    },
    cancel: async (id, keepMs, now) => {
      const entry = entries.get(id)
      if (entry?.extent === undefined || entry.state === "forgotten") return undefined
      if (Job.hasEnded(entry.state)) return []
      entry.isCancelled = true
      const refs = haltWaiting(entry, "CANCELLED")
      for (const chunk of entry.chunks) if (chunk.state === "waiting") chunk.heardAt = 0
      touch(entry, clock(now))
      endIfOver(entry, keepMs, clock(now))
      return refs
    },
    cancelled: async (ids) =>
      ids.filter((id) => {
        const entry = entries.get(id)
        return entry === undefined || entry.isCancelled || entry.state === "forgotten"
      }),
    overdue: async (silentMs, limit, now) => {
      const refs: Array<Job.ChunkRef> = []
      for (const entry of entries.values()) {
        if (entry.extent === undefined || !isOpen(entry.state)) continue
        for (const chunk of entry.chunks) {
          if (refs.length >= limit) return refs
          if (chunk.state !== "waiting" && chunk.state !== "running") continue
          const patience = chunk.state === "running" ? 1 : 2 ** Math.min(chunk.dispatch, 4)
          if (chunk.heardAt === undefined || chunk.heardAt > clock(now) - silentMs * patience) continue
          chunk.heardAt = clock(now)
          chunk.dispatch++
          chunk.heldBy = chunk.dispatch
          refs.push({ job: entry.job.id, chunk: chunk.index, dispatch: chunk.dispatch })
        }
      }
      return refs
    },
    sweep: async (limit, tombstoneMs, now) => {
      const over = [...entries].filter(([, { expiresAt }]) => expiresAt <= clock(now)).slice(0, limit)
      for (const [id, entry] of over) {
        if (entry.extent === undefined || entry.state === "forgotten") {
          drop(id)
          continue
        }
        entry.state = "forgotten"
        entry.chunks.length = 0
        entry.expiresAt = clock(now) + tombstoneMs
        if (entry.job.key !== undefined) keys.delete(entry.job.key)
      }
      return over.length
    },
    queued: async () => queued(),
  }
}

const waiting = (chunk: Job.NewChunk): Chunk => ({
  ...chunk,
  state: "waiting",
  epoch: 0,
  starts: 0,
  dispatch: 0,
  heldBy: 0,
  heardAt: undefined,
  parts: [],
  results: undefined,
  code: undefined,
  hasFailures: false,
})

const isOpen = (state: Entry["state"]): boolean => state === "queued" || state === "running"

const endedOf = ({ succeeded, failed, skipped }: Job.JobTally): number => succeeded + failed + skipped

const plus = (left: Job.JobTally, right: Job.JobTally): Job.JobTally => ({
  succeeded: left.succeeded + right.succeeded,
  failed: left.failed + right.failed,
  skipped: left.skipped + right.skipped,
})

const touch = (entry: Entry, now: number): void => {
  entry.updatedAt = Math.max(now, entry.updatedAt + 1)
}

const dueOf = (entry: Entry, from: number, to: number): ReadonlyArray<Job.ChunkRef> =>
  entry.chunks
    .slice(from, to)
    .filter(({ state }) => state === "waiting")
    .map(({ index, dispatch }) => ({ job: entry.job.id, chunk: index, dispatch }))

const send = (entry: Entry, to: number, now: number): ReadonlyArray<Job.ChunkRef> => {
  const due = dueOf(entry, entry.sent, to)
  entry.sent = Math.min(entry.chunks.length, Math.max(entry.sent, to))
  for (const { chunk } of due) entry.chunks[chunk]!.heardAt = now
  return due
}

const isUnbegun = ({ state, parts }: Chunk): boolean => state === "waiting" && parts.length === 0

// Chunks that were sent and will not run, so that the queue may forget them.
const haltWaiting = (entry: Entry, code: string): ReadonlyArray<Job.ChunkRef> => {
  const refs = dueOf(entry, 0, entry.sent).filter(({ chunk }) => isUnbegun(entry.chunks[chunk]!))
  for (const chunk of entry.chunks) {
    // What was postponed after something of it was done has results, which only its next worker can put together.
    if (!isUnbegun(chunk)) continue
    Object.assign(chunk, { state: "halted", code, payload: "", parts: [], hasFailures: true })
    entry.tally = plus(entry.tally, { succeeded: 0, failed: 0, skipped: chunk.operations })
  }
  return refs
}

const recordOf = ({
  job,
  extent,
  state,
  tally,
  isCancelled,
  createdAt,
  updatedAt,
  expiresAt,
  chunks,
}: Entry): Job.JobRecord => ({
  id: job.id,
  tenant: job.tenant,
  endpoint: job.endpoint,
  settings: job.settings,
  state: state as Job.JobState,
  ...tally,
  total: extent?.total ?? 0,
  chunks: extent?.chunks ?? chunks.length,
  isCancelled,
  createdAt,
  updatedAt,
  expiresAt,
})
