/** Transactions: what is done in them is there when they commit, and only then. */
import { describe, expect, it } from "vitest"
import type { ChunkRef } from "../../jobs/Job.ts"
import { accepted, type Backend, chunksOf, keepMs, refs, roomy, stage, start, tallyOf } from "./Fixture.ts"

/** Declares the cases. */
export const transactions = (backend: () => Backend, transactional: boolean): void => {
  describe("transactions", () => {
    it("are offered as the store says", () => {
      expect(backend().store.isTransactional).toBe(transactional)
      expect(backend().transaction !== undefined).toBe(transactional)
    })
    if (transactional) inside(backend)
    else outside(backend)
  })
}

const outside = (backend: () => Backend): void => {
  it("are none where the store has none: nothing is called alongside", async () => {
    const { store } = backend()
    const alongside = async () => Promise.reject(new Error("called"))
    const { begin, chunks } = await accepted(store, { options: { alongside }, chunks: chunksOf(1) })
    const { hold } = await begin(0)
    const outcome = { results: "{}", tally: tallyOf(1), halt: undefined }
    expect(await store.commit(hold, outcome, keepMs, { alongside }, start)).toMatchObject({ _tag: "kept" })
    const upload = stage(store, { chunks })
    await store.open(upload.job, start)
    await store.append(upload.id, chunks, start)
    const closed = await store.close(upload.id, upload.extent, roomy, { alongside }, start)
    expect(closed).toMatchObject({ _tag: "accepted" })
  })
}

const inside = (backend: () => Backend): void => {
  const undone = new Error("undone on purpose")

  /** Runs in a transaction, which is kept or undone. */
  const within = async <A>(keeps: boolean, run: (transaction: unknown) => Promise<A>): Promise<A> => {
    const { transaction } = backend()
    let answer: A | undefined
    const running = transaction!(async (handle) => {
      answer = await run(handle)
      if (!keeps) throw undone
    })
    if (keeps) await running
    else await expect(running).rejects.toThrow(undone.message)
    return answer!
  }

  it("make a job, or leave nothing of it", async () => {
    const { store } = backend()
    const { id, job, extent, chunks, record } = stage(store)
    const submit = (transaction: unknown) => store.submit(job, extent, chunks, roomy, { transaction }, start)
    expect(await within(false, submit)).toEqual({ _tag: "accepted", due: refs(id, 0, 1) })
    expect(await store.find(id, start)).toBeUndefined()
    expect(await store.queued()).toBe(0)
    expect(await within(true, submit)).toEqual({ _tag: "accepted", due: refs(id, 0, 1) })
    expect(await record()).toMatchObject({ state: "queued", total: 6 })
    expect(await store.queued()).toBe(6)
  })

  it("end a chunk, or leave it to its worker", async () => {
    const { store } = backend()
    const { id, begin, record } = await accepted(store)
    const { hold } = await begin(0)
    const before = await record()
    const commit = (transaction: unknown) =>
      store.commit(hold, { results: "{}\n{}", tally: tallyOf(2), halt: undefined }, keepMs, { transaction }, start + 1)
    expect(await within(false, commit)).toEqual({ _tag: "kept", due: refs(id, 2), hasEnded: false })
    expect(await record()).toEqual(before)
    expect(await store.queued()).toBe(6)
    expect(await within(true, commit)).toEqual({ _tag: "kept", due: refs(id, 2), hasEnded: false })
    expect(await record()).toMatchObject({ succeeded: 2 })
    expect(await store.queued()).toBe(4)
    expect(await within(true, commit)).toEqual({ _tag: "refused" })
  })

  it("of the store take in what is done alongside, with the refs that are due", async () => {
    const { store } = backend()
    const told: Array<ReadonlyArray<ChunkRef>> = []
    const alongside = async (transaction: unknown, due: ReadonlyArray<ChunkRef>) => {
      expect(transaction).toBeDefined()
      told.push(due)
    }
    const { id, begin } = await accepted(store, { options: { alongside }, chunks: chunksOf(1, 1, 1) })
    for (const chunk of [0, 1, 2]) {
      const { hold } = await begin(chunk)
      const outcome = { results: "{}", tally: tallyOf(1), halt: undefined }
      expect(await store.commit(hold, outcome, keepMs, { alongside }, start)).toMatchObject({ _tag: "kept" })
    }
    expect(told).toEqual([refs(id, 0, 1), refs(id, 2), [], []])
    const { job, chunks, extent, id: uploaded } = stage(store)
    await store.open(job, start)
    await store.append(uploaded, chunks, start)
    await store.close(uploaded, extent, roomy, { alongside }, start)
    expect(told.at(-1)).toEqual(refs(uploaded, 0, 1))
  })

  it("of the store are undone if what is done alongside fails", async () => {
    const { store } = backend()
    const alongside = () => Promise.reject(undone)
    const failing = stage(store, { options: { alongside } })
    await expect(failing.submit()).rejects.toThrow(undone.message)
    expect(await store.find(failing.id, start)).toBeUndefined()
    const { begin, record, commit } = await accepted(store)
    const held = await begin(0)
    const outcome = { results: "{}\n{}", tally: tallyOf(2), halt: undefined }
    const committing = store.commit(held.hold, outcome, keepMs, { alongside }, start)
    await expect(committing).rejects.toThrow(undone.message)
    expect(await record()).toMatchObject({ succeeded: 0, state: "running" })
    expect(await store.queued()).toBe(6)
    expect(await commit(held)).toMatchObject({ _tag: "kept" })
    const { job, chunks, extent, id } = stage(store)
    await store.open(job, start)
    await store.append(id, chunks, start)
    await expect(store.close(id, extent, roomy, { alongside }, start)).rejects.toThrow(undone.message)
    expect(await store.find(id, start)).toBeUndefined()
    expect(await store.close(id, extent, roomy, undefined, start)).toMatchObject({ _tag: "accepted" })
  })
}
