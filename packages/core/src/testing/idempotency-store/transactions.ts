/** Settling in a transaction: results are stored if it commits, and only then. */
import { describe, expect, it } from "vitest"
import type { Settled, SettleItem } from "../../idempotency/IdempotencyStore.ts"
import { type Backend, leaseMs, newKey, start, times, comparable } from "./Fixture.ts"

/** Declares the cases. */
export const transactions = (backend: () => Backend, transactional: boolean): void =>
  transactional ? inside(backend) : without(backend)

const without = (backend: () => Backend): void => {
  describe("transactions", () => {
    it("are not supported: the store has no `settleIn`", () => {
      expect(backend().store.settleIn).toBeUndefined()
    })
  })
}

const inside = (backend: () => Backend): void => {
  const settleIn = async (items: ReadonlyArray<SettleItem>, owner: string, now: number, commits = true) => {
    const { store, transaction } = backend()
    if (store.settleIn === undefined || transaction === undefined)
      throw new Error("The backend needs `store.settleIn` and `transaction`")
    const settle = store.settleIn
    let settled: ReadonlyArray<Settled> = []
    const running = transaction(async (handle) => {
      settled = await settle(handle, items, times(owner, now))
      if (!commits) throw new Error("rolled back on purpose")
    })
    if (commits) await running
    else await expect(running).rejects.toThrow("rolled back on purpose")
    return settled
  }

  describe("transactions", () => {
    it("store results when they commit", async () => {
      const { key, fingerprint, newOwner } = newKey(backend().store)
      const owner = newOwner()
      await owner.acquire(start)
      const items = [{ key, fingerprint, action: { _tag: "complete", result: "{}" } as const }]
      expect(await settleIn(items, owner.owner, start)).toEqual(["applied"])
      expect(await newOwner().acquire(start)).toEqual({ _tag: "replay", result: "{}" })
      expect(await owner.complete(start, "{}")).toBe("already")
      expect(await settleIn(items, owner.owner, start)).toEqual(["already"])
    })

    it("change nothing when they are rolled back", async () => {
      const { store } = backend()
      const all = [newKey(store), newKey(store), newKey(store)]
      const owner = all[0]!.newOwner()
      await store.acquire(
        all.map(({ key, fingerprint }) => ({ key, fingerprint, mode: "retry" as const })),
        times(owner.owner, start),
      )
      const actions = [
        { _tag: "complete", result: "{}" },
        { _tag: "append", at: 0, chunk: "a" },
        { _tag: "release" },
      ] as const
      const items = all.map(({ key, fingerprint }, index) => ({ key, fingerprint, action: actions[index]! }))
      const applied = ["applied", "applied", "applied"]
      expect(await settleIn(items, owner.owner, start + 1, false)).toEqual(applied)
      for (const { peek } of all) {
        expect(await peek(start + 1)).toEqual({ state: "pending", fence: 1, leaseLeftMs: leaseMs - 1 })
      }
      expect(await settleIn(items, owner.owner, start + 1)).toEqual(applied)
      const seen = await Promise.all(all.map(async ({ peek }) => comparable(await peek(start + 1))?.state))
      expect(seen).toEqual(["done", "pending", "released"])
    })

    it("refuse an owner whose claim was taken over", async () => {
      const { store } = backend()
      const { key, fingerprint, newOwner, peek } = newKey(store)
      const [former, successor] = [newOwner(), newOwner()]
      await former.acquire(start)
      const now = start + leaseMs
      await successor.acquire(now)
      const items = [{ key, fingerprint, action: { _tag: "complete", result: "old" } as const }]
      expect(await settleIn(items, former.owner, now, false)).toEqual(["refused"])
      expect(await peek(now)).toMatchObject({ state: "pending", fence: 2 })
      expect(await successor.complete(now, "next")).toBe("applied")
      expect(await settleIn(items, former.owner, now, false)).toEqual(["refused"])
      expect(await former.acquire(now)).toEqual({ _tag: "replay", result: "next" })
    })
  })
}
