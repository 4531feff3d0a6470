/** Cases about results, and about texts of all kinds. */
import { describe, expect, it } from "vitest"
import type { EndedChunk } from "../../jobs/Job.ts"
import type { JobStore } from "../../jobs/JobStore.ts"
import { accepted, type Backend, chunksOf, extentOf, keepMs, lines, noLimits, stage, start } from "./Fixture.ts"

/** Declares the cases. */
export const results = (backend: () => Backend): void => {
  describe("results", () => {
    it("are returned in order, up to the first chunk that has not ended", async () => {
      const { store, other = store } = backend()
      const { id, finish } = await accepted(store, { chunks: chunksOf(1, 2, 3, 4), extent: { window: 4 } })
      const read = (from: number, limit = 9) => other.results(id, { from, limit, onlyFailed: false }, start)
      expect(await read(0)).toEqual({ chunks: [], next: 0, isLast: false })
      await finish(1, { outcomes: "s-" })
      expect(await read(0)).toEqual({ chunks: [], next: 0, isLast: false })
      const second = { index: 1, first: 1, operations: 2, results: lines(1, 2), outcomes: "s-", code: undefined }
      expect(await read(1)).toEqual({ chunks: [second], next: 2, isLast: false })
      await finish(0)
      const first = { index: 0, first: 0, operations: 1, results: lines(0, 1), outcomes: "s", code: undefined }
      expect(await read(0)).toEqual({ chunks: [first, second], next: 2, isLast: false })
      expect(await read(0, 1)).toEqual({ chunks: [first], next: 1, isLast: false })
      await finish(3)
      expect(await read(2)).toEqual({ chunks: [], next: 2, isLast: false })
      await finish(2)
      expect(await read(2)).toMatchObject({ chunks: [{ index: 2 }, { index: 3 }], next: 4, isLast: true })
      expect(await read(4)).toEqual({ chunks: [], next: 4, isLast: true })
    })

    it("can be limited to chunks with an operation that did not succeed", async () => {
      const { store } = backend()
      const { id, finish } = await accepted(store, { chunks: chunksOf(2, 2, 2, 2, 2), extent: { window: 1 } })
      const read = () => readAll(store, id, true)
      await finish(0)
      expect(await read()).toMatchObject({ chunks: [], next: 1, isLast: false })
      await finish(1, { outcomes: "sf" })
      await finish(2)
      await finish(3, { outcomes: "s-", halt: "SKIPPED" })
      const { chunks, isLast } = await read()
      expect(chunks).toMatchObject([
        { index: 1, outcomes: "sf" },
        { index: 3, outcomes: "s-" },
        { index: 4, outcomes: undefined },
      ])
      expect(isLast).toBe(true)
      expect((await readAll(store, id, false)).chunks.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4])
    })

    it("of a running job can be read page by page, without gaps and repetitions", { timeout: 60_000 }, async () => {
      const { store, other = store } = backend()
      const sizes = Array.from({ length: 40 }, (_, index) => 1 + (index % 3))
      const { id, begin, commit, extent } = await accepted(store, {
        chunks: chunksOf(...sizes),
        extent: { window: 6 },
      })
      let due = [0, 1, 2, 3, 4, 5]
      const work = async () => {
        for (let step = 0; due.length > 0; step++) {
          const [chunk] = due.splice((step * 7) % due.length, 1)
          const committed = await commit(await begin(chunk!))
          if (committed._tag === "kept") due = [...due, ...committed.due.map((ref) => ref.chunk)]
        }
      }
      const indexes: Array<number> = []
      const read = async () => {
        for (let from = 0, isLast = false; !isLast;) {
          const found = await other.results(id, { from, limit: 3, onlyFailed: false }, start)
          for (const { results: text } of found.chunks) {
            indexes.push(...text!.split("\n").map((line) => (JSON.parse(line) as { readonly index: number }).index))
          }
          ;({ next: from, isLast } = found)
          await new Promise((resolve) => setTimeout(resolve, 1))
        }
      }
      await Promise.all([work(), read()])
      expect(indexes).toEqual(Array.from({ length: extent.total }, (_, index) => index))
    })
  })

  describe("texts", () => {
    it.each([
      ["in any language", `{"a":"Grüße, 世界, 😀, \u200f, \ufeff"}`],
      ["with escape sequences", `{"a":"\\u0000 \\ud800 \\\\ \\" ' \\n"}`],
      ["that resemble code", `{"a":"$1 \${x} %s '; drop table -- \\\\N {tag} KEYS[1] ?"}`],
      ["with other line separators", `{"a":1}\r\n{"b":"\u2028\u2029\u0085"}`],
      ["that are not JSON", `\t{"a": }  `],
      ["that are empty", ``],
    ])("%s are stored unchanged", async (_, text) => {
      const { store } = backend()
      const [one, two] = [
        { index: 0, first: 0, operations: 2 },
        { index: 1, first: 2, operations: 1 },
      ] as const
      const chunks = [
        { ...one, payload: text },
        { ...two, payload: `${text}\n${text}` },
      ]
      const { id, begin, commit, record } = await accepted(store, {
        chunks,
        job: { settings: text, tenant: `t ${text}`, endpoint: `e ${text}` },
      })
      expect(await record()).toMatchObject({ settings: text, tenant: `t ${text}`, endpoint: `e ${text}` })
      const held = await begin(0)
      expect(held.payload).toBe(text)
      expect((await begin(1)).payload).toBe(`${text}\n${text}`)
      const part = { at: 0, results: text, outcomes: "s" }
      await store.checkpoint(held.hold, part, start)
      const again = await begin(0)
      expect(again.parts).toEqual([part])
      await commit(again, { results: text })
      const found = await store.results(id, { from: 0, limit: 1, onlyFailed: false }, start)
      expect(found.chunks).toMatchObject([{ results: text, outcomes: "ss" }])
    })

    it("of some megabytes are stored unchanged", { timeout: 60_000 }, async () => {
      const { store } = backend()
      const payload = lines(0, 20_000, (n) => JSON.stringify({ n, text: "ä😀".repeat(20) }))
      const chunks = [{ index: 0, first: 0, operations: 20_000, payload }]
      const { id, upload, begin, commit } = stage(store, { chunks })
      await upload()
      await store.close(id, extentOf(chunks), noLimits, undefined, start)
      const held = await begin(0)
      // `toBe` would print megabytes.
      expect(held.payload === payload).toBe(true)
      const outcomes = "s".repeat(20_000)
      await store.checkpoint(held.hold, { at: 0, results: payload, outcomes }, start)
      const [part] = (await begin(0)).parts
      expect(part!.results === payload && part!.outcomes === outcomes).toBe(true)
      await commit(await begin(0), { results: payload })
      const [chunk] = (await store.results(id, { from: 0, limit: 1, onlyFailed: false }, start)).chunks
      expect(chunk!.results === payload && chunk!.outcomes === outcomes).toBe(true)
    })

    it("of many chunks are stored in order", { timeout: 60_000 }, async () => {
      const { store } = backend()
      const sizes = Array.from({ length: 1_200 }, () => 1)
      const { id, submit, chunks, record } = stage(store, { chunks: chunksOf(...sizes) })
      expect(await submit()).toMatchObject({ _tag: "accepted" })
      for (const index of [0, 1, 599, 1_199]) {
        expect(await store.start({ job: id, chunk: index }, start)).toMatchObject(chunks[index]!)
      }
      await store.cancel(id, keepMs, start)
      expect(await record()).toMatchObject({ total: 1_200, chunks: 1_200, skipped: 1_196 })
      const { chunks: ended } = await readAll(store, id, true, 2)
      expect(ended.map(({ index }) => index)).toEqual(sizes.map((_, index) => index).slice(2, 599))
    })
  })
}

/** Reads all chunks that have ended, page by page. */
const readAll = async (store: JobStore, id: string, onlyFailed: boolean, first = 0) => {
  const chunks: Array<EndedChunk> = []
  for (let from = first; ;) {
    const found = await store.results(id, { from, limit: 100, onlyFailed }, start)
    chunks.push(...found.chunks)
    if (found.isLast || found.next === from) return { ...found, chunks }
    from = found.next
  }
}
