/** What an owner may do with a claim of its own, once and again, and what others may not. */
import { describe, expect, it } from "vitest"
import { type Actor, type Backend, hash, leaseMs, pendingTtlMs, stage, start, visible } from "./Fixture.ts"

/** Declares the cases. */
export const settling = (backend: () => Backend): void => {
  describe("settling", () => {
    it("completes once: a second result of the same owner changes nothing", async () => {
      const { actor } = stage(backend().store)
      const owner = actor()
      await owner.acquire(start)
      expect(await owner.complete(start, "first")).toBe("applied")
      expect(await owner.complete(start, "first")).toBe("already")
      expect(await owner.complete(start, "second")).toBe("already")
      expect(await actor().acquire(start)).toEqual({ _tag: "replay", result: "first" })
    })

    it("lets an owner complete after its lease ended, as long as nobody took over", async () => {
      const { actor } = stage(backend().store)
      const owner = actor()
      await owner.acquire(start)
      expect(await owner.complete(start + leaseMs + 1, "{}")).toBe("applied")
      const held = stage(backend().store)
      const holder = held.actor()
      await holder.acquire(start, "hold")
      expect(await holder.complete(start + leaseMs + 1, "{}")).toBe("applied")
      expect(await held.actor().acquire(start + leaseMs + 1)).toEqual({ _tag: "replay", result: "{}" })
    })

    it("appends chunks one after another, each once however often it is sent", async () => {
      const { actor } = stage(backend().store)
      const owner = actor()
      await owner.acquire(start)
      expect(await owner.append(start, 0, "ab")).toBe("applied")
      expect(await owner.append(start, 0, "ab")).toBe("already")
      expect(await owner.append(start, 2, "ab")).toBe("applied")
      expect(await owner.append(start, 2, "ab")).toBe("already")
      expect(await owner.acquire(start)).toMatchObject({ journal: "abab" })
    })

    it("refuses a chunk that does not go on where the journal ends, and leaves the journal as it is", async () => {
      const { actor } = stage(backend().store)
      const owner = actor()
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

    it("counts the characters of a journal as UTF-16 does", async () => {
      const { actor } = stage(backend().store)
      const owner = actor()
      await owner.acquire(start)
      expect(await owner.append(start, 0, "é€𝄞")).toBe("applied")
      expect(await owner.append(start, 0, "é€𝄞")).toBe("already")
      expect(await owner.append(start, 3, "x")).toBe("refused")
      expect(await owner.append(start, 7, "x")).toBe("refused")
      expect(await owner.append(start, 4, "漢")).toBe("applied")
      expect(await actor().acquire(start + leaseMs)).toMatchObject({ _tag: "taken-over", journal: "é€𝄞漢" })
    })

    it.each([
      ["extend", "applied", (owner: Actor, now: number) => owner.extend(now)],
      ["append", "applied", (owner: Actor, now: number) => owner.append(now, 1, "b")],
      ["append again", "already", (owner: Actor, now: number) => owner.append(now, 0, "a")],
    ] as const)("extends the lease, and how long the claim is remembered: %s", async (_, settled, act) => {
      const { actor, peek } = stage(backend().store)
      const owner = actor()
      await owner.acquire(start)
      await owner.append(start, 0, "a")
      const late = start + leaseMs + 1
      expect(await act(owner, late)).toBe(settled)
      expect(await peek(late)).toEqual({ state: "pending", fence: 1, leaseLeftMs: leaseMs })
      expect(await actor().acquire(late + leaseMs - 1)).toEqual({ _tag: "in-progress", retryAfterMs: 1 })
      expect(await peek(late + pendingTtlMs - 1)).toMatchObject({ state: "pending" })
      expect(await peek(late + pendingTtlMs)).toBeUndefined()
    })

    it("extends a held claim without ceasing to hold it", async () => {
      const { actor, peek } = stage(backend().store)
      const owner = actor()
      await owner.acquire(start, "hold")
      expect(await owner.extend(start + 1)).toBe("applied")
      expect(await peek(start + 1)).toEqual({ state: "held", fence: 1, leaseLeftMs: leaseMs })
    })

    it.each(["retry", "hold"] as const)("frees a key that is released, for any use: %s", async (mode) => {
      const { actor, peek } = stage(backend().store)
      const owner = actor()
      await owner.acquire(start, mode)
      await owner.append(start, 0, "journal")
      expect(await owner.release(start)).toBe("applied")
      expect(visible(await peek(start))).toEqual({ state: "released", fence: 1 })
      const next = actor(undefined, hash())
      expect(await next.acquire(start)).toEqual({ _tag: "fresh", fence: 2 })
      expect(await next.acquire(start)).toEqual({ _tag: "mine", fence: 2, journal: "" })
    })

    it("releases once however often it is asked to", async () => {
      const { actor, peek } = stage(backend().store)
      const owner = actor()
      await owner.acquire(start)
      expect(await owner.release(start)).toBe("applied")
      expect(await owner.release(start)).toBe("already")
      expect(visible(await peek(start))).toEqual({ state: "released", fence: 1 })
    })

    it("refuses everything but releasing again after a release", async () => {
      const { actor, peek } = stage(backend().store)
      const owner = actor()
      await owner.acquire(start)
      await owner.release(start)
      expect(await owner.complete(start, "{}")).toBe("refused")
      expect(await owner.append(start, 0, "a")).toBe("refused")
      expect(await owner.extend(start)).toBe("refused")
      expect(visible(await peek(start))).toEqual({ state: "released", fence: 1 })
      expect(await owner.acquire(start)).toEqual({ _tag: "fresh", fence: 2 })
      expect(await owner.complete(start, "{}")).toBe("applied")
    })

    it("refuses everything but completing again after completion", async () => {
      const { actor } = stage(backend().store)
      const owner = actor()
      await owner.acquire(start)
      await owner.complete(start, "{}")
      expect(await owner.release(start)).toBe("refused")
      expect(await owner.append(start, 2, "a")).toBe("refused")
      expect(await owner.append(start, 0, "{}")).toBe("refused")
      expect(await owner.extend(start)).toBe("refused")
      expect(await actor().acquire(start)).toEqual({ _tag: "replay", result: "{}" })
    })

    it("refuses everybody who is not the owner, and changes nothing", async () => {
      const { actor, peek } = stage(backend().store)
      const owner = actor()
      await owner.acquire(start)
      await owner.append(start, 0, "a")
      await refusesAll(actor(), start + 1, 1)
      expect(await peek(start + 1)).toEqual({ state: "pending", fence: 1, leaseLeftMs: leaseMs - 1 })
      expect(await owner.acquire(start + 1)).toMatchObject({ _tag: "mine", journal: "a" })
      await owner.complete(start + 1, "{}")
      await refusesAll(actor(), start + 2, 1)
      expect(await actor().acquire(start + 2)).toEqual({ _tag: "replay", result: "{}" })
    })

    it("makes a record that vanished anew from a result, and from nothing else", async () => {
      const { actor, peek } = stage(backend().store)
      const owner = actor()
      expect(await owner.append(start, 0, "a")).toBe("refused")
      expect(await owner.extend(start)).toBe("refused")
      expect(await owner.release(start)).toBe("already")
      expect(await peek(start)).toBeUndefined()
      expect(await owner.complete(start, "{}")).toBe("recreated")
      expect(await owner.complete(start, "{}")).toBe("already")
      expect(visible(await peek(start))).toEqual({ state: "done", fence: 1 })
      expect(await actor().acquire(start)).toEqual({ _tag: "replay", result: "{}" })
      expect(await actor(undefined, hash()).acquire(start)).toEqual({ _tag: "mismatch" })
    })

    it("makes a record that was evicted anew from its owner's result", async () => {
      const { store, evict } = backend()
      const { key, actor } = stage(store)
      const owner = actor()
      await owner.acquire(start)
      // A store that cannot lose records loses this one to time.
      const now = evict === undefined ? start + pendingTtlMs : start
      await evict?.(key)
      expect(await owner.complete(now, "{}")).toBe("recreated")
      expect(await actor().acquire(now)).toEqual({ _tag: "replay", result: "{}" })
    })
  })
}

/** Everything that somebody without a claim may try. `at` is the length of the journal. */
export const refusesAll = async (actor: Actor, now: number, at: number): Promise<void> => {
  expect(await actor.append(now, at, "z")).toBe("refused")
  expect(await actor.extend(now)).toBe("refused")
  expect(await actor.release(now)).toBe("refused")
  expect(await actor.complete(now, "stolen")).toBe("refused")
}
