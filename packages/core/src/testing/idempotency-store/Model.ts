/**
 * The model of an idempotency store, against which random commands are checked: the shortest program that follows the port.
 *
 * It shares no code with any store, not even with the one in memory, so that a misreading of the port shows.
 */
import type {
  Acquired,
  AcquireItem,
  IdempotencyTimes,
  Settled,
  SettleItem,
} from "../../idempotency/IdempotencyStore.ts"

interface ModelRecord {
  readonly state: "pending" | "held" | "done" | "released"
  readonly fingerprint: string
  readonly owner: string
  readonly fence: number
  readonly leaseUntil: number
  readonly expiresAt: number
  /** The journal of a claim, the result of a completed key. */
  readonly text: string
}

export class Model {
  private readonly records = new Map<string, ModelRecord>()

  /** Returns the record of a key; undefined where there is none or it has expired. */
  find(key: string, now: number): ModelRecord | undefined {
    const record = this.records.get(key)
    return record === undefined || now >= record.expiresAt ? undefined : record
  }

  evict(key: string): void {
    this.records.delete(key)
  }

  acquire({ key, fingerprint, mode }: AcquireItem, times: IdempotencyTimes, now: number): Acquired {
    const record = this.find(key, now)
    const [leaseUntil, expiresAt] = [now + times.leaseMs, now + times.pendingTtlMs]
    const state = mode === "hold" ? "held" : "pending"
    const claimed = { state, fingerprint, owner: times.owner, leaseUntil, expiresAt } as const
    if (record === undefined || record.state === "released") {
      const fence = record === undefined ? 1 : record.fence + 1
      this.records.set(key, { ...claimed, fence, text: "" })
      return { _tag: "fresh", fence }
    }
    const { fence, text: journal } = record
    if (record.fingerprint !== fingerprint) return { _tag: "mismatch" }
    if (record.state === "done") return { _tag: "replay", result: journal }
    if (record.owner === times.owner) {
      this.records.set(key, { ...record, leaseUntil, expiresAt })
      return { _tag: "mine", fence, journal }
    }
    if (now < record.leaseUntil) return { _tag: "in-progress", retryAfterMs: record.leaseUntil - now }
    if (record.state === "held") return { _tag: "indeterminate" }
    this.records.set(key, { ...claimed, fence: fence + 1, text: journal })
    return { _tag: "taken-over", fence: fence + 1, journal }
  }

  settle({ key, fingerprint, action }: SettleItem, times: IdempotencyTimes, now: number): Settled {
    const record = this.find(key, now)
    const { owner } = times
    if (action._tag === "complete") {
      const expiresAt = now + times.resultTtlMs
      const done = { state: "done" as const, leaseUntil: now, expiresAt, text: action.result }
      if (record === undefined) return this.write(key, { ...done, fingerprint, owner, fence: 1 }, "recreated")
      if (record.owner !== owner || record.state === "released") return "refused"
      return record.state === "done" ? "already" : this.write(key, { ...record, ...done }, "applied")
    }
    if (action._tag === "release") {
      if (record === undefined) return "already"
      if (record.owner !== owner || record.state === "done") return "refused"
      if (record.state === "released") return "already"
      return this.write(key, { ...record, state: "released", expiresAt: now + times.pendingTtlMs }, "applied")
    }
    if (record?.owner !== owner || record.state === "done" || record.state === "released") return "refused"
    const extended = { ...record, leaseUntil: now + times.leaseMs, expiresAt: now + times.pendingTtlMs }
    if (action._tag === "extend") return this.write(key, extended, "applied")
    const { at, chunk } = action
    if (record.text.slice(at) === chunk && record.text.length >= at) return this.write(key, extended, "already")
    if (record.text.length !== at) return "refused"
    return this.write(key, { ...extended, text: record.text + chunk }, "applied")
  }

  resolve(key: string, decision: { readonly result: string; readonly resultTtlMs: number } | "forget", now: number) {
    const record = this.find(key, now)
    if (record?.state !== "held" || now < record.leaseUntil) return false
    if (decision === "forget") this.records.set(key, { ...record, state: "released", owner: "nobody" })
    else {
      const { result: text, resultTtlMs } = decision
      this.records.set(key, { ...record, state: "done", owner: "nobody", expiresAt: now + resultTtlMs, text })
    }
    return true
  }

  private write(key: string, record: ModelRecord, settled: Settled): Settled {
    this.records.set(key, record)
    return settled
  }
}
