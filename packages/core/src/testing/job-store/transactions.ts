/** Cases about calls that take part in transactions. */
import { describe, expect, it } from "vitest"
import type { ChunkRef } from "../../jobs/Job.ts"
import { accepted, type Backend, chunksOf, keepMs, noLimits, outcomeOf, refs, stage, start } from "./Fixture.ts"

/** Declares the cases. */
export const transactions = (backend: () => Backend, isTransactional: boolean): void => {
  describe("transactions", () => {
    it("are offered as declared", () => {
      expect(backend().store.isTransactional).toBe(isTransactional)
      expect(backend().transaction !== undefined).toBe(isTransactional)
    })
    if (isTransactional) transactional(backend)
    else notTransactional(backend)
  })
}

const notTransactional = (backend: () => Backend): void => {
  it("are ignored, and `alongside` is not called", async () => {
    const { store } = backend()
    const alongside = async () => Promise.reject(new Error("called"))
    const { begin, chunks } = await accepted(store, { options: { alongside }, chunks: chunksOf(1) })
    const started = await begin(0)
    const committed = await store.commit(started.hold, outcomeOf(started), keepMs, { alongside }, start)
    expect(committed).toMatchObject({ _tag: "kept" })
    const { id, extent, upload } = stage(store, { chunks })
    await upload()
    expect(await store.close(id, extent, noLimits, { alongside }, start)).toMatchObject({ _tag: "accepted" })
  })
}

const transactional = (backend: () => Backend): void => {
  const rollback = new Error("rolled back on purpose")

  const inTransaction = async <A>(commits: boolean, run: (transaction: unknown) => Promise<A>): Promise<A> => {
    const { transaction } = backend()
    let answer: A | undefined
    const running = transaction!(async (handle) => {
      answer = await run(handle)
      if (!commits) throw rollback
    })
    if (commits) await running
    else await expect(running).rejects.toThrow(rollback.message)
    return answer!
  }

  it("make a job when they commit, and nothing when they roll back", async () => {
    const { store } = backend()
    const { id, job, extent, chunks, record } = stage(store)
    const submit = (transaction: unknown) => store.submit(job, extent, chunks, noLimits, { transaction }, start)
    expect(await inTransaction(false, submit)).toEqual({ _tag: "accepted", due: refs(id, 0, 1) })
    expect(await store.find(id, start)).toBeUndefined()
    expect(await store.queued()).toBe(0)
    expect(await inTransaction(true, submit)).toEqual({ _tag: "accepted", due: refs(id, 0, 1) })
    expect(await record()).toMatchObject({ state: "queued", total: 6 })
    expect(await store.queued()).toBe(6)
  })

  it("end a chunk when they commit, and leave it to its worker when they roll back", async () => {
    const { store } = backend()
    const { id, begin, record } = await accepted(store)
    const started = await begin(0)
    const before = await record()
    const commit = (transaction: unknown) =>
      store.commit(started.hold, outcomeOf(started), keepMs, { transaction }, start + 1)
    expect(await inTransaction(false, commit)).toEqual({ _tag: "kept", due: refs(id, 2), hasEnded: false })
    expect(await record()).toEqual(before)
    expect(await store.queued()).toBe(6)
    expect(await inTransaction(true, commit)).toEqual({ _tag: "kept", due: refs(id, 2), hasEnded: false })
    expect(await record()).toMatchObject({ succeeded: 2 })
    expect(await store.queued()).toBe(4)
    expect(await inTransaction(true, commit)).toEqual({ _tag: "refused" })
  })

  it("include what `alongside` does, which is called with the chunks that are due", async () => {
    const { store } = backend()
    const calls: Array<ReadonlyArray<ChunkRef>> = []
    const alongside = async (transaction: unknown, due: ReadonlyArray<ChunkRef>) => {
      expect(transaction).toBeDefined()
      calls.push(due)
    }
    const { id, begin } = await accepted(store, { options: { alongside }, chunks: chunksOf(1, 1, 1) })
    for (const chunk of [0, 1, 2]) {
      const started = await begin(chunk)
      const committed = await store.commit(started.hold, outcomeOf(started), keepMs, { alongside }, start)
      expect(committed).toMatchObject({ _tag: "kept" })
    }
    expect(calls).toEqual([refs(id, 0, 1), refs(id, 2), [], []])
    const uploaded = stage(store)
    await uploaded.upload()
    await store.close(uploaded.id, uploaded.extent, noLimits, { alongside }, start)
    expect(calls.at(-1)).toEqual(refs(uploaded.id, 0, 1))
  })

  it("roll back if `alongside` rejects", async () => {
    const { store } = backend()
    const alongside = () => Promise.reject(rollback)
    const failing = stage(store, { options: { alongside } })
    await expect(failing.submit()).rejects.toThrow(rollback.message)
    expect(await store.find(failing.id, start)).toBeUndefined()
    const { begin, record, commit } = await accepted(store)
    const held = await begin(0)
    const committing = store.commit(held.hold, outcomeOf(held), keepMs, { alongside }, start)
    await expect(committing).rejects.toThrow(rollback.message)
    expect(await record()).toMatchObject({ succeeded: 0, state: "running" })
    expect(await store.queued()).toBe(6)
    expect(await commit(held)).toMatchObject({ _tag: "kept" })
    const { id, extent, upload } = stage(store)
    await upload()
    await expect(store.close(id, extent, noLimits, { alongside }, start)).rejects.toThrow(rollback.message)
    expect(await store.find(id, start)).toBeUndefined()
    expect(await store.close(id, extent, noLimits, undefined, start)).toMatchObject({ _tag: "accepted" })
  })
}
