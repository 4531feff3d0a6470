/** Calls of many items, and every kind of text in them. */
import { describe, expect, it } from "vitest"
import type { IdempotencyStore, SettleAction } from "../../idempotency/IdempotencyStore.ts"
import { type Backend, claim, hash, hashes, makeOwner, only, stage, start, times } from "./Fixture.ts"

const loneSurrogate = "a\ud800z"

/** Declares the cases. */
export const items = (backend: () => Backend): void => {
  describe("calls", () => {
    it("take no items", async () => {
      const { store } = backend()
      expect(await store.acquire([], times(makeOwner(), start))).toEqual([])
      expect(await store.settle([], times(makeOwner(), start))).toEqual([])
    })

    it.each([1, 2, 100, 101, 1_001])("take %i items", async (count) => {
      const { store } = backend()
      const fingerprint = hash()
      const keys = hashes(count)
      const owner = times(makeOwner(), start)
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

    it("answer in the order of the items, whatever becomes of each", async () => {
      const { store } = backend()
      const fingerprint = hash()
      const keys = hashes(250)
      const [mine, theirs] = [times(makeOwner(), start), times(makeOwner(), start)]
      const every = (remainder: number) => keys.filter((_, index) => index % 5 === remainder)
      await store.acquire(
        every(1).map((key) => claim(key, fingerprint)),
        theirs,
      )
      await store.acquire(
        every(2).map((key) => claim(key, hash())),
        theirs,
      )
      await store.acquire(
        every(3).map((key) => claim(key, fingerprint)),
        mine,
      )
      await store.settle(
        every(4).map((key) => ({ key, fingerprint, action: { _tag: "complete", result: key } })),
        theirs,
      )
      const answers = await store.acquire(
        keys.map((key) => claim(key, fingerprint)),
        mine,
      )
      expect(answers.map((answer) => answer._tag)).toEqual(
        keys.map((_, index) => ["fresh", "in-progress", "mismatch", "mine", "replay"][index % 5]),
      )
      expect(answers.filter((answer) => answer._tag === "replay").map(({ result }) => result)).toEqual(every(4))
    })

    it("settle each item in its own way", async () => {
      const { store } = backend()
      const fingerprint = hash()
      const keys = hashes(120)
      const owner = times(makeOwner(), start)
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

    it("take items that are frozen", async () => {
      const { store } = backend()
      const owner = Object.freeze(times(makeOwner(), start))
      const [key, fingerprint] = [hash(), hash()]
      const action: SettleAction = Object.freeze({ _tag: "complete", result: "done" })
      const claims = Object.freeze([Object.freeze(claim(key, fingerprint))])
      expect(await store.acquire(claims, owner)).toEqual([{ _tag: "fresh", fence: 1 }])
      expect(await store.settle(Object.freeze([Object.freeze({ key, fingerprint, action })]), owner)).toEqual([
        "applied",
      ])
      expect(await store.acquire(claims, owner)).toEqual([{ _tag: "replay", result: "done" }])
    })

    it("tell keys apart that differ in the case of one letter, or in one character", async () => {
      const { store } = backend()
      const base = hash().slice(1)
      const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
      const keys = [...alphabet].map((character) => `${character}${base}`)
      const answers = await store.acquire(
        keys.map((key) => claim(key, hash())),
        times(makeOwner(), start),
      )
      expect(answers).toEqual(keys.map(() => ({ _tag: "fresh", fence: 1 })))
    })

    it("tell fingerprints and owners apart that differ in the case of one letter", async () => {
      const { store } = backend()
      const [key, rest, tail] = [hash(), hash().slice(1), makeOwner().slice(1)]
      const acquire = async (fingerprint: string, owner: string) =>
        only(await store.acquire([claim(key, fingerprint)], times(owner, start)))
      await acquire(`a${rest}`, `a${tail}`)
      expect(await acquire(`A${rest}`, `a${tail}`)).toMatchObject({ _tag: "mismatch" })
      expect(await acquire(`a${rest}`, `A${tail}`)).toMatchObject({ _tag: "in-progress" })
      expect(await acquire(`a${rest}`, `a${tail}`)).toMatchObject({ _tag: "mine" })
    })

    it.each([
      ["nothing", ""],
      ["blanks", "  \t\r\n "],
      ["quotes, backslashes and signs of other languages", `'"\`\\ %s $1 ? :x {} [] ; -- \\x00 \\u0000 null NULL`],
      ["letters of several bytes", "é€𝄞漢字 \u{10ffff}\uffff\ufffd\u2028\u00a0 e\u0301"],
      ["control characters", String.fromCharCode(...Array.from({ length: 31 }, (_, code) => code + 1), 127, 133)],
      ["64 KiB", "€".repeat(64 * 1024)],
      ["1 MiB", "x".repeat(1024 * 1024)],
    ])("keep texts as they are: %s", async (_, text) => {
      expect(await kept(backend().store, text)).toEqual([text, text])
    })

    it("keep NUL as it is, or refuse it and change nothing", async () => {
      const text = "a\0z"
      const back = await kept(backend().store, text)
      if (back !== undefined) expect(back).toEqual([text, text])
    })

    it("keep a lone surrogate, give U+FFFD for it, or refuse it and change nothing", async () => {
      const back = await kept(backend().store, loneSurrogate)
      for (const text of back ?? []) expect([loneSurrogate, loneSurrogate.toWellFormed()]).toContain(text)
    })
  })
}

/** What comes back of a text as a journal and as a result; undefined where the store rejects it, changing nothing. */
const kept = async (store: IdempotencyStore, text: string): Promise<ReadonlyArray<string> | undefined> => {
  const { actor, peek } = stage(store)
  const owner = actor()
  await owner.acquire(start)
  try {
    await owner.append(start, 0, text)
  } catch {
    await expect(owner.complete(start, text)).rejects.toThrow()
    expect(await peek(start)).toMatchObject({ state: "pending" })
    expect(await owner.acquire(start)).toMatchObject({ _tag: "mine", journal: "" })
    return undefined
  }
  const mine = await owner.acquire(start)
  await owner.complete(start, text)
  const replay = await actor().acquire(start)
  return [mine._tag === "mine" ? mine.journal : mine._tag, replay._tag === "replay" ? replay.result : replay._tag]
}
