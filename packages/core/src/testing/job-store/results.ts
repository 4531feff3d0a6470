/** Results: in order, also while the job runs; and texts of all kinds. */
import { describe, expect, it } from "vitest"
import type { EndedChunk } from "../../jobs/Job.ts"
import type { JobStore } from "../../jobs/JobStore.ts"
import { accepted, type Backend, chunksOf, extentOf, keepMs, lines, roomy, stage, start, tallyOf } from "./Fixture.ts"

/** Declares the cases. */
export const results = (backend: () => Backend): void => {
  describe("results", () => {
    it("come in order, up to the first chunk that has not ended", async () => {
      const { store, other = store } = backend()
      const { id, finish } = await accepted(store, { chunks: chunksOf(1, 2, 3, 4), extent: { window: 4 } })
      const read = (from: number, limit = 9) => other.results(id, { from, limit, onlyFailed: false }, start)
      expect(await read(0)).toEqual({ chunks: [], next: 0, isLast: false })
      await finish(1)
      expect(await read(0)).toEqual({ chunks: [], next: 0, isLast: false })
      const second = { index: 1, first: 1, operations: 2, results: lines(1, 2), code: undefined }
      expect(await read(1)).toEqual({ chunks: [second], next: 2, isLast: false })
      await finish(0)
      const first = { index: 0, first: 0, operations: 1, results: lines(0, 1), code: undefined }
      expect(await read(0)).toEqual({ chunks: [first, second], next: 2, isLast: false })
      expect(await read(0, 1)).toEqual({ chunks: [first], next: 1, isLast: false })
      await finish(3)
      expect(await read(2)).toEqual({ chunks: [], next: 2, isLast: false })
      await finish(2)
      expect(await read(2)).toMatchObject({ chunks: [{ index: 2 }, { index: 3 }], next: 4, isLast: true })
      expect(await read(4)).toEqual({ chunks: [], next: 4, isLast: true })
    })

    it("that failed, or never were, can be asked for alone", async () => {
      const { store } = backend()
      const { id, finish } = await accepted(store, { chunks: chunksOf(2, 2, 2, 2, 2), extent: { window: 1 } })
      const read = () => readAll(store, id, true)
      await finish(0)
      expect(await read()).toMatchObject({ chunks: [], next: 1, isLast: false })
      await finish(1, { tally: tallyOf(1, 1) })
      await finish(2)
      await finish(3, { tally: tallyOf(1, 0, 1), halt: "SKIPPED" })
      const { chunks, isLast } = await read()
      expect(chunks.map(({ index }) => index)).toEqual([1, 3, 4])
      expect(isLast).toBe(true)
      expect((await readAll(store, id, false)).chunks.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4])
    })

    it("of a job that runs are neither missed nor repeated by whoever reads on", { timeout: 60_000 }, async () => {
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
          const answer = await commit(await begin(chunk!))
          if (answer._tag === "kept") due = [...due, ...answer.due.map((ref) => ref.chunk)]
        }
      }
      const seen: Array<number> = []
      const read = async () => {
        for (let from = 0, isLast = false; !isLast;) {
          const found = await other.results(id, { from, limit: 3, onlyFailed: false }, start)
          for (const { results: text } of found.chunks) {
            seen.push(...text!.split("\n").map((line) => (JSON.parse(line) as { readonly index: number }).index))
          }
          ;({ next: from, isLast } = found)
          await new Promise((resolve) => setTimeout(resolve, 1))
        }
      }
      await Promise.all([work(), read()])
      expect(seen).toEqual(Array.from({ length: extent.total }, (_, index) => index))
    })
  })

  describe("texts", () => {
    it.each([
      ["of any language", `{"a":"Grüße, 世界, 😀, \u200f, \ufeff"}`],
      ["with what is escaped", `{"a":"\\u0000 \\ud800 \\\\ \\" ' \\n"}`],
      ["that look like something else", `{"a":"$1 \${x} %s '; drop table -- \\\\N {tag} KEYS[1] ?"}`],
      ["with lines of other systems", `{"a":1}\r\n{"b":"\u2028\u2029\u0085"}`],
      ["that are no JSON", `\t{"a": }  `],
      ["with nothing in them", ``],
    ])("%s are kept as they are", async (_, text) => {
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
      await store.checkpoint(held.hold, { at: 0, results: text, tally: tallyOf(1) }, start)
      const again = await begin(0)
      expect(again.parts).toEqual([{ at: 0, results: text, tally: tallyOf(1) }])
      await commit(again, { results: text })
      const found = await store.results(id, { from: 0, limit: 1, onlyFailed: false }, start)
      expect(found.chunks).toMatchObject([{ results: text }])
    })

    it("of some megabytes are kept as they are", { timeout: 60_000 }, async () => {
      const { store } = backend()
      const payload = lines(0, 20_000, (n) => JSON.stringify({ n, text: "ä😀".repeat(20) }))
      const chunks = [{ index: 0, first: 0, operations: 20_000, payload }]
      const { id, job, begin, commit } = stage(store, { chunks })
      await store.open(job, start)
      await store.append(id, chunks, start)
      await store.close(id, extentOf(chunks), roomy, undefined, start)
      const held = await begin(0)
      expect(held.payload === payload).toBe(true)
      await store.checkpoint(held.hold, { at: 0, results: payload, tally: tallyOf(20_000) }, start)
      expect((await begin(0)).parts[0]!.results === payload).toBe(true)
      await commit(await begin(0), { results: payload })
      const found = await store.results(id, { from: 0, limit: 1, onlyFailed: false }, start)
      expect(found.chunks[0]!.results === payload).toBe(true)
    })

    it("of many chunks are kept, in order", { timeout: 60_000 }, async () => {
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

/** Reads on until there is nothing more, or nothing more yet. */
const readAll = async (store: JobStore, id: string, onlyFailed: boolean, first = 0) => {
  const chunks: Array<EndedChunk> = []
  for (let from = first; ;) {
    const found = await store.results(id, { from, limit: 100, onlyFailed }, start)
    chunks.push(...found.chunks)
    if (found.isLast || found.next === from) return { ...found, chunks }
    from = found.next
  }
}
