/** Actions of an owner on its claim, repeated ones too, and of other owners. */
import { describe, expect, it } from "vitest"
import { type KeyOwner, type Backend, newHash, leaseMs, pendingTtlMs, newKey, start, comparable } from "./Fixture.ts"

/** Declares the cases. */
export const settling = (backend: () => Backend): void => {
  describe("settling", () => {
    it("completes a key once: a second result of the same owner changes nothing", async () => {
      const { newOwner } = newKey(backend().store)
      const owner = newOwner()
      await owner.acquire(start)
      expect(await owner.complete(start, "first")).toBe("applied")
      expect(await owner.complete(start, "first")).toBe("already")
      expect(await owner.complete(start, "second")).toBe("already")
      expect(await newOwner().acquire(start)).toEqual({ _tag: "replay", result: "first" })
    })

    it("lets an owner complete a key after its lease ended, unless another one took over", async () => {
      const { newOwner } = newKey(backend().store)
      const owner = newOwner()
      await owner.acquire(start)
      expect(await owner.complete(start + leaseMs + 1, "{}")).toBe("applied")
      const held = newKey(backend().store)
      const holder = held.newOwner()
      await holder.acquire(start, "hold")
      expect(await holder.complete(start + leaseMs + 1, "{}")).toBe("applied")
      expect(await held.newOwner().acquire(start + leaseMs + 1)).toEqual({ _tag: "replay", result: "{}" })
    })

    it("appends a chunk once, however often it is sent", async () => {
      const { newOwner } = newKey(backend().store)
      const owner = newOwner()
      await owner.acquire(start)
      expect(await owner.append(start, 0, "ab")).toBe("applied")
      expect(await owner.append(start, 0, "ab")).toBe("already")
      expect(await owner.append(start, 2, "ab")).toBe("applied")
      expect(await owner.append(start, 2, "ab")).toBe("already")
      expect(await owner.acquire(start)).toMatchObject({ journal: "abab" })
    })

    it("refuses a chunk that does not start where the journal ends, and leaves the journal unchanged", async () => {
      const { newOwner } = newKey(backend().store)
      const owner = newOwner()
      await owner.acquire(start)
      await owner.append(start, 0, "abc")
      for (const [at, chunk] of [
        [4, "d"],
        [2, "d"],
        [0, "xyz"],
        [0, "ab"],
        [1, "bd"],
      ] as const) {
        expect(await owner.append(start, at, chunk)).toBe("refused")
      }
      expect(await owner.acquire(start)).toMatchObject({ journal: "abc" })
    })

    it("counts the characters of a journal in UTF-16 code units", async () => {
      const { newOwner } = newKey(backend().store)
      const owner = newOwner()
      await owner.acquire(start)
      expect(await owner.append(start, 0, "é€𝄞")).toBe("applied")
      expect(await owner.append(start, 0, "é€𝄞")).toBe("already")
      expect(await owner.append(start, 3, "x")).toBe("refused")
      expect(await owner.append(start, 7, "x")).toBe("refused")
      expect(await owner.append(start, 4, "漢")).toBe("applied")
      expect(await newOwner().acquire(start + leaseMs)).toMatchObject({ _tag: "taken-over", journal: "é€𝄞漢" })
    })

    it.each([
      ["extend", "applied", (owner: KeyOwner, now: number) => owner.extend(now)],
      ["append", "applied", (owner: KeyOwner, now: number) => owner.append(now, 1, "b")],
      ["append again", "already", (owner: KeyOwner, now: number) => owner.append(now, 0, "a")],
    ] as const)("postpones the end of the lease and the expiry of the claim: %s", async (_, settled, act) => {
      const { newOwner, peek } = newKey(backend().store)
      const owner = newOwner()
      await owner.acquire(start)
      await owner.append(start, 0, "a")
      const late = start + leaseMs + 1
      expect(await act(owner, late)).toBe(settled)
      expect(await peek(late)).toEqual({ state: "pending", fence: 1, leaseLeftMs: leaseMs })
      expect(await newOwner().acquire(late + leaseMs - 1)).toEqual({ _tag: "in-progress", retryAfterMs: 1 })
      expect(await peek(late + pendingTtlMs - 1)).toMatchObject({ state: "pending" })
      expect(await peek(late + pendingTtlMs)).toBeUndefined()
    })

    it("extends a held claim, which stays held", async () => {
      const { newOwner, peek } = newKey(backend().store)
      const owner = newOwner()
      await owner.acquire(start, "hold")
      expect(await owner.extend(start + 1)).toBe("applied")
      expect(await peek(start + 1)).toEqual({ state: "held", fence: 1, leaseLeftMs: leaseMs })
    })

    it.each(["retry", "hold"] as const)("frees a released key for any request: %s", async (mode) => {
      const { newOwner, peek } = newKey(backend().store)
      const owner = newOwner()
      await owner.acquire(start, mode)
      await owner.append(start, 0, "journal")
      expect(await owner.release(start)).toBe("applied")
      expect(comparable(await peek(start))).toEqual({ state: "released", fence: 1 })
      const next = newOwner(undefined, newHash())
      expect(await next.acquire(start)).toEqual({ _tag: "fresh", fence: 2 })
      expect(await next.acquire(start)).toEqual({ _tag: "mine", fence: 2, journal: "" })
    })

    it("releases a key once, however often the call is sent", async () => {
      const { newOwner, peek } = newKey(backend().store)
      const owner = newOwner()
      await owner.acquire(start)
      expect(await owner.release(start)).toBe("applied")
      expect(await owner.release(start)).toBe("already")
      expect(comparable(await peek(start))).toEqual({ state: "released", fence: 1 })
    })

    it("refuses every other action after a release", async () => {
      const { newOwner, peek } = newKey(backend().store)
      const owner = newOwner()
      await owner.acquire(start)
      await owner.release(start)
      expect(await owner.complete(start, "{}")).toBe("refused")
      expect(await owner.append(start, 0, "a")).toBe("refused")
      expect(await owner.extend(start)).toBe("refused")
      expect(comparable(await peek(start))).toEqual({ state: "released", fence: 1 })
      expect(await owner.acquire(start)).toEqual({ _tag: "fresh", fence: 2 })
      expect(await owner.complete(start, "{}")).toBe("applied")
    })

    it("refuses every other action after completion", async () => {
      const { newOwner } = newKey(backend().store)
      const owner = newOwner()
      await owner.acquire(start)
      await owner.complete(start, "{}")
      expect(await owner.release(start)).toBe("refused")
      expect(await owner.append(start, 2, "a")).toBe("refused")
      expect(await owner.append(start, 0, "{}")).toBe("refused")
      expect(await owner.extend(start)).toBe("refused")
      expect(await newOwner().acquire(start)).toEqual({ _tag: "replay", result: "{}" })
    })

    it("refuses other owners and changes nothing", async () => {
      const { newOwner, peek } = newKey(backend().store)
      const owner = newOwner()
      await owner.acquire(start)
      await owner.append(start, 0, "a")
      await expectAllRefused(newOwner(), start + 1, 1)
      expect(await peek(start + 1)).toEqual({ state: "pending", fence: 1, leaseLeftMs: leaseMs - 1 })
      expect(await owner.acquire(start + 1)).toMatchObject({ _tag: "mine", journal: "a" })
      await owner.complete(start + 1, "{}")
      await expectAllRefused(newOwner(), start + 2, 1)
      expect(await newOwner().acquire(start + 2)).toEqual({ _tag: "replay", result: "{}" })
    })

    it("recreates a lost record from a result, and from no other action", async () => {
      const { newOwner, peek } = newKey(backend().store)
      const owner = newOwner()
      expect(await owner.append(start, 0, "a")).toBe("refused")
      expect(await owner.extend(start)).toBe("refused")
      expect(await owner.release(start)).toBe("already")
      expect(await peek(start)).toBeUndefined()
      expect(await owner.complete(start, "{}")).toBe("recreated")
      expect(await owner.complete(start, "{}")).toBe("already")
      expect(comparable(await peek(start))).toEqual({ state: "done", fence: 1 })
      expect(await newOwner().acquire(start)).toEqual({ _tag: "replay", result: "{}" })
      expect(await newOwner(undefined, newHash()).acquire(start)).toEqual({ _tag: "mismatch" })
    })

    it("recreates an evicted record from its owner's result", async () => {
      const { store, evict } = backend()
      const { key, newOwner } = newKey(store)
      const owner = newOwner()
      await owner.acquire(start)
      // Where records cannot be evicted, this one expires.
      const now = evict === undefined ? start + pendingTtlMs : start
      await evict?.(key)
      expect(await owner.complete(now, "{}")).toBe("recreated")
      expect(await newOwner().acquire(now)).toEqual({ _tag: "replay", result: "{}" })
    })
  })
}

/** Expects that every action of an owner without a claim is refused. `at` is the length of the journal. */
export const expectAllRefused = async (newOwner: KeyOwner, now: number, at: number): Promise<void> => {
  expect(await newOwner.append(now, at, "z")).toBe("refused")
  expect(await newOwner.extend(now)).toBe("refused")
  expect(await newOwner.release(now)).toBe("refused")
  expect(await newOwner.complete(now, "stolen")).toBe("refused")
}
