/** An idempotency store in the memory of one process, for tests and for applications with a single process. */
import type {
  Acquired,
  AcquireItem,
  IdempotencyRecord,
  IdempotencyStore,
  IdempotencyTimes,
  Settled,
  SettleItem,
} from "./IdempotencyStore.ts"

interface Entry {
  state: "pending" | "held" | "done" | "released"
  fingerprint: string
  owner: string
  fence: number
  leaseUntil: number
  expiresAt: number
  /** The journal of a pending or held claim, the result of a completed one. */
  payload: string
}

/** Options of `memoryIdempotencyStore`. */
export interface MemoryIdempotencyOptions {
  /**
   * Maximum number of records. Where it is reached, claims of new keys reject; no record is removed before it expires.
   * Default 100,000.
   */
  readonly maxRecords?: number | undefined
  /** Returns the time in milliseconds since 1970. Default `Date.now`. */
  readonly now?: (() => number) | undefined
}

/** Makes an idempotency store in memory. */
export const memoryIdempotencyStore = ({
  maxRecords = 100_000,
  now: clock = Date.now,
}: MemoryIdempotencyOptions = {}): IdempotencyStore => {
  const entries = new Map<string, Entry>()

  const find = (key: string, now: number): Entry | undefined => {
    const entry = entries.get(key)
    if (entry === undefined || entry.expiresAt > now) return entry
    entries.delete(key)
    return undefined
  }

  const purge = (limit: number, now: number): number => {
    let removed = 0
    for (const [key, { expiresAt }] of entries) {
      if (removed >= limit) break
      if (expiresAt <= now && entries.delete(key)) removed++
    }
    return removed
  }

  const claim = (item: AcquireItem, { owner, leaseMs, pendingTtlMs }: IdempotencyTimes, now: number, fence: number) => {
    entries.set(item.key, {
      state: item.mode === "hold" ? "held" : "pending",
      fingerprint: item.fingerprint,
      owner,
      fence,
      leaseUntil: now + leaseMs,
      expiresAt: now + pendingTtlMs,
      payload: "",
    })
  }

  const acquireOne = (item: AcquireItem, times: IdempotencyTimes, now: number): Acquired => {
    const entry = find(item.key, now)
    if (entry === undefined || entry.state === "released") {
      const fence = (entry?.fence ?? 0) + 1
      claim(item, times, now, fence)
      return { _tag: "fresh", fence }
    }
    const { fingerprint, state, owner, fence, leaseUntil, payload } = entry
    if (fingerprint !== item.fingerprint) return { _tag: "mismatch" }
    if (state === "done") return { _tag: "replay", result: payload }
    if (owner === times.owner) {
      entry.leaseUntil = now + times.leaseMs
      entry.expiresAt = now + times.pendingTtlMs
      return { _tag: "mine", fence, journal: payload }
    }
    if (leaseUntil > now) return { _tag: "in-progress", retryAfterMs: leaseUntil - now }
    if (state === "held") return { _tag: "indeterminate" }
    claim(item, times, now, fence + 1)
    entries.get(item.key)!.payload = payload
    return { _tag: "taken-over", fence: fence + 1, journal: payload }
  }

  const settleOne = ({ key, fingerprint, action }: SettleItem, times: IdempotencyTimes, now: number): Settled => {
    const entry = find(key, now)
    if (entry === undefined) {
      if (action._tag === "release") return "already"
      if (action._tag !== "complete") return "refused"
      const expiresAt = now + times.resultTtlMs
      const { owner } = times
      entries.set(key, {
        state: "done",
        fingerprint,
        owner,
        fence: 1,
        leaseUntil: now,
        expiresAt,
        payload: action.result,
      })
      return "recreated"
    }
    if (entry.owner !== times.owner) return "refused"
    if (entry.state === "done") return action._tag === "complete" ? "already" : "refused"
    if (entry.state === "released") return action._tag === "release" ? "already" : "refused"
    return applyOwn(entry, action, times, now)
  }

  const makeRoomFor = (items: ReadonlyArray<AcquireItem>, now: number) => {
    const added = items.filter(({ key }) => find(key, now) === undefined).length
    if (entries.size + added <= maxRecords) return
    purge(Number.POSITIVE_INFINITY, now)
    if (entries.size + added > maxRecords) {
      throw new Error(
        `The idempotency store in memory is full, with ${entries.size} of at most ${maxRecords} records: raise "maxRecords", or use a store in a database`,
      )
    }
  }

  return {
    acquire: async (items, times) => {
      const now = times.now ?? clock()
      makeRoomFor(items, now)
      return items.map((item) => acquireOne(item, times, now))
    },
    settle: async (items, times) => {
      const now = times.now ?? clock()
      return items.map((item) => settleOne(item, times, now))
    },
    peek: async (key, now = clock()) => {
      const entry = find(key, now)
      return entry === undefined ? undefined : toRecord(entry, now)
    },
    resolve: async (key, decision, now = clock()) => {
      const entry = find(key, now)
      if (entry === undefined || entry.state !== "held" || entry.leaseUntil > now) return false
      // The former owner must neither store a result nor take this one for its own.
      entry.owner = ""
      if (decision === "forget") {
        entry.state = "released"
        entry.payload = ""
      } else {
        entry.state = "done"
        entry.payload = decision.result
        entry.expiresAt = now + decision.resultTtlMs
      }
      return true
    },
    purge: async (limit, now = clock()) => purge(limit, now),
  }
}

const applyOwn = (
  entry: Entry,
  action: SettleItem["action"],
  { leaseMs, pendingTtlMs, resultTtlMs }: IdempotencyTimes,
  now: number,
): Settled => {
  if (action._tag === "complete") {
    entry.state = "done"
    entry.payload = action.result
    entry.expiresAt = now + resultTtlMs
    return "applied"
  }
  if (action._tag === "release") {
    entry.state = "released"
    entry.payload = ""
    entry.expiresAt = now + pendingTtlMs
    return "applied"
  }
  let settled: Settled = "applied"
  if (action._tag === "append") {
    const { at, chunk } = action
    if (entry.payload.length === at + chunk.length && entry.payload.endsWith(chunk)) settled = "already"
    else if (entry.payload.length === at) entry.payload += chunk
    else return "refused"
  }
  entry.leaseUntil = now + leaseMs
  entry.expiresAt = now + pendingTtlMs
  return settled
}

const toRecord = ({ state, fence, leaseUntil }: Entry, now: number): IdempotencyRecord => ({
  state,
  fence,
  leaseLeftMs: leaseUntil - now,
})
