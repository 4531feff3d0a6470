/**
 * What a store is to answer, as the shortest program that says it: the oracle of random commands.
 *
 * It shares nothing with any store, the one in memory included, so that a misreading of the port shows.
 */
import type {
  Acquired,
  AcquireItem,
  IdempotencyTimes,
  Settled,
  SettleItem,
} from "../../idempotency/IdempotencyStore.ts"

interface Known {
  readonly is: "pending" | "held" | "done" | "released"
  readonly fp: string
  readonly who: string
  readonly fence: number
  readonly lease: number
  readonly over: number
  readonly text: string
}

export class Model {
  private readonly known = new Map<string, Known>()

  /** What is known of a key now. */
  see(key: string, now: number): Known | undefined {
    const it = this.known.get(key)
    return it === undefined || now >= it.over ? undefined : it
  }

  evict(key: string): void {
    this.known.delete(key)
  }

  acquire({ key, fingerprint: fp, mode }: AcquireItem, t: IdempotencyTimes, now: number): Acquired {
    const old = this.see(key, now)
    const is = mode === "hold" ? "held" : "pending"
    const claimed = { is, fp, who: t.owner, lease: now + t.leaseMs, over: now + t.pendingTtlMs } as const
    if (old === undefined || old.is === "released") {
      const fence = old === undefined ? 1 : old.fence + 1
      this.known.set(key, { ...claimed, fence, text: "" })
      return { _tag: "fresh", fence }
    }
    const { fence, text: journal } = old
    if (old.fp !== fp) return { _tag: "mismatch" }
    if (old.is === "done") return { _tag: "replay", result: journal }
    if (old.who === t.owner) {
      this.known.set(key, { ...old, lease: claimed.lease, over: claimed.over })
      return { _tag: "mine", fence, journal }
    }
    if (now < old.lease) return { _tag: "in-progress", retryAfterMs: old.lease - now }
    if (old.is === "held") return { _tag: "indeterminate" }
    this.known.set(key, { ...claimed, fence: fence + 1, text: journal })
    return { _tag: "taken-over", fence: fence + 1, journal }
  }

  settle({ key, fingerprint: fp, action }: SettleItem, t: IdempotencyTimes, now: number): Settled {
    const old = this.see(key, now)
    if (action._tag === "complete") {
      const done = { is: "done" as const, lease: now, over: now + t.resultTtlMs, text: action.result }
      if (old === undefined) return this.write(key, { ...done, fp, who: t.owner, fence: 1 }, "recreated")
      if (old.who !== t.owner || old.is === "released") return "refused"
      return old.is === "done" ? "already" : this.write(key, { ...old, ...done }, "applied")
    }
    if (action._tag === "release") {
      if (old === undefined) return "already"
      if (old.who !== t.owner || old.is === "done") return "refused"
      if (old.is === "released") return "already"
      return this.write(key, { ...old, is: "released", over: now + t.pendingTtlMs }, "applied")
    }
    if (old === undefined || old.who !== t.owner || old.is === "done" || old.is === "released") return "refused"
    const longer = { ...old, lease: now + t.leaseMs, over: now + t.pendingTtlMs }
    if (action._tag === "extend") return this.write(key, longer, "applied")
    const { at, chunk } = action
    if (old.text.slice(at) === chunk && old.text.length >= at) return this.write(key, longer, "already")
    return old.text.length === at ? this.write(key, { ...longer, text: old.text + chunk }, "applied") : "refused"
  }

  resolve(key: string, decision: { readonly result: string; readonly resultTtlMs: number } | "forget", now: number) {
    const old = this.see(key, now)
    if (old?.is !== "held" || now < old.lease) return false
    if (decision === "forget") this.known.set(key, { ...old, is: "released", who: "nobody" })
    else {
      const { result: text, resultTtlMs } = decision
      this.known.set(key, { ...old, is: "done", who: "nobody", over: now + resultTtlMs, text })
    }
    return true
  }

  private write(key: string, next: Known, settled: Settled): Settled {
    this.known.set(key, next)
    return settled
  }
}
