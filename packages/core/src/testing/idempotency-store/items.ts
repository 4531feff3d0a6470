/** Calls with many items, and with every kind of text. */
import { describe, expect, it } from "vitest"
import type { IdempotencyStore, SettleAction } from "../../idempotency/IdempotencyStore.ts"
import { type Backend, claim, newHash, newHashes, newOwnerId, only, newKey, start, times } from "./Fixture.ts"

const loneSurrogate = "a\ud800z"

/** Declares the cases. */
export const items = (backend: () => Backend): void => {
  describe("calls", () => {
    it("accept no items", async () => {
      const { store } = backend()
      expect(await store.acquire([], times(newOwnerId(), start))).toEqual([])
      expect(await store.settle([], times(newOwnerId(), start))).toEqual([])
    })

    it.each([1, 2, 100, 101, 1_001])("accept %i items", async (count) => {
      const { store } = backend()
      const fingerprint = newHash()
      const keys = newHashes(count)
      const owner = times(newOwnerId(), start)
      const claimed = await store.acquire(
        keys.map((key) => claim(key, fingerprint)),
        owner,
      )
      expect(claimed).toEqual(keys.map(() => ({ _tag: "fresh", fence: 1 })))
      const settled = await store.settle(
        keys.map((key) => ({ key, fingerprint, action: { _tag: "complete", result: `${key} done` } })),
        owner,
      )
      expect(settled).toEqual(keys.map(() => "applied"))
      const replayed = await store.acquire(
        keys.toReversed().map((key) => claim(key, fingerprint)),
        owner,
      )
      expect(replayed).toEqual(keys.toReversed().map((key) => ({ _tag: "replay", result: `${key} done` })))
    })

    it("answer in the order of the items, whatever the answers are", async () => {
      const { store } = backend()
      const fingerprint = newHash()
      const keys = newHashes(250)
      const [own, foreign] = [times(newOwnerId(), start), times(newOwnerId(), start)]
      const every = (remainder: number) => keys.filter((_, index) => index % 5 === remainder)
      await store.acquire(
        every(1).map((key) => claim(key, fingerprint)),
        foreign,
      )
      await store.acquire(
        every(2).map((key) => claim(key, newHash())),
        foreign,
      )
      await store.acquire(
        every(3).map((key) => claim(key, fingerprint)),
        own,
      )
      await store.settle(
        every(4).map((key) => ({ key, fingerprint, action: { _tag: "complete", result: key } })),
        foreign,
      )
      const answers = await store.acquire(
        keys.map((key) => claim(key, fingerprint)),
        own,
      )
      expect(answers.map((answer) => answer._tag)).toEqual(
        keys.map((_, index) => ["fresh", "in-progress", "mismatch", "mine", "replay"][index % 5]),
      )
      expect(answers.filter((answer) => answer._tag === "replay").map(({ result }) => result)).toEqual(every(4))
    })

    it("apply a different action to each item", async () => {
      const { store } = backend()
      const fingerprint = newHash()
      const keys = newHashes(120)
      const owner = times(newOwnerId(), start)
      await store.acquire(
        keys.map((key) => claim(key, fingerprint)),
        owner,
      )
      const actions = [
        { _tag: "complete", result: "r" },
        { _tag: "append", at: 0, chunk: "c" },
        { _tag: "append", at: 1, chunk: "c" },
        { _tag: "extend" },
        { _tag: "release" },
      ] as const
      const all = keys.map((key, index) => ({ key, fingerprint, action: actions[index % 5]! }))
      const expected = ["applied", "applied", "refused", "applied", "applied"]
      expect(await store.settle(all, owner)).toEqual(keys.map((_, index) => expected[index % 5]))
      const again = ["already", "already", "refused", "applied", "already"]
      expect(await store.settle(all, owner)).toEqual(keys.map((_, index) => again[index % 5]))
    })

    it("do not change their items", async () => {
      const { store } = backend()
      const owner = Object.freeze(times(newOwnerId(), start))
      const [key, fingerprint] = [newHash(), newHash()]
      const action: SettleAction = Object.freeze({ _tag: "complete", result: "done" })
      const claims = Object.freeze([Object.freeze(claim(key, fingerprint))])
      expect(await store.acquire(claims, owner)).toEqual([{ _tag: "fresh", fence: 1 }])
      expect(await store.settle(Object.freeze([Object.freeze({ key, fingerprint, action })]), owner)).toEqual([
        "applied",
      ])
      expect(await store.acquire(claims, owner)).toEqual([{ _tag: "replay", result: "done" }])
    })

    it("distinguish keys that differ in one character or in the case of a letter", async () => {
      const { store } = backend()
      const base = newHash().slice(1)
      const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
      const keys = [...alphabet].map((character) => `${character}${base}`)
      const answers = await store.acquire(
        keys.map((key) => claim(key, newHash())),
        times(newOwnerId(), start),
      )
      expect(answers).toEqual(keys.map(() => ({ _tag: "fresh", fence: 1 })))
    })

    it("distinguish fingerprints and owners that differ in the case of a letter", async () => {
      const { store } = backend()
      const [key, rest, tail] = [newHash(), newHash().slice(1), newOwnerId().slice(1)]
      const acquire = async (fingerprint: string, owner: string) =>
        only(await store.acquire([claim(key, fingerprint)], times(owner, start)))
      await acquire(`a${rest}`, `a${tail}`)
      expect(await acquire(`A${rest}`, `a${tail}`)).toMatchObject({ _tag: "mismatch" })
      expect(await acquire(`a${rest}`, `A${tail}`)).toMatchObject({ _tag: "in-progress" })
      expect(await acquire(`a${rest}`, `a${tail}`)).toMatchObject({ _tag: "mine" })
    })

    it.each([
      ["an empty text", ""],
      ["white space", "  \t\r\n "],
      ["quotes, backslashes and the syntax of other languages", `'"\`\\ %s $1 ? :x {} [] ; -- \\x00 \\u0000 null NULL`],
      ["characters of several bytes", "é€𝄞漢字 \u{10ffff}\uffff\ufffd\u2028\u00a0 e\u0301"],
      ["control characters", String.fromCharCode(...Array.from({ length: 31 }, (_, code) => code + 1), 127, 133)],
      ["64 KiB", "€".repeat(64 * 1024)],
      ["1 MiB", "x".repeat(1024 * 1024)],
    ])("store texts unchanged: %s", async (_, text) => {
      expect(await roundTrip(backend().store, text)).toEqual([text, text])
    })

    it("store NUL unchanged, or reject it and change nothing", async () => {
      const text = "a\0z"
      const stored = await roundTrip(backend().store, text)
      if (stored !== undefined) expect(stored).toEqual([text, text])
    })

    it("store a lone surrogate, replace it by U+FFFD, or reject it and change nothing", async () => {
      const stored = await roundTrip(backend().store, loneSurrogate)
      for (const text of stored ?? []) expect([loneSurrogate, loneSurrogate.toWellFormed()]).toContain(text)
    })
  })
}

/** Stores a text as a journal and as a result, and returns what comes back; undefined where the store rejects the text. */
const roundTrip = async (store: IdempotencyStore, text: string): Promise<ReadonlyArray<string> | undefined> => {
  const { newOwner, peek } = newKey(store)
  const owner = newOwner()
  await owner.acquire(start)
  try {
    await owner.append(start, 0, text)
  } catch {
    await expect(owner.complete(start, text)).rejects.toThrow()
    expect(await peek(start)).toMatchObject({ state: "pending" })
    expect(await owner.acquire(start)).toMatchObject({ _tag: "mine", journal: "" })
    return undefined
  }
  const claimed = await owner.acquire(start)
  await owner.complete(start, text)
  const replay = await newOwner().acquire(start)
  return [
    claimed._tag === "mine" ? claimed.journal : claimed._tag,
    replay._tag === "replay" ? replay.result : replay._tag,
  ]
}
