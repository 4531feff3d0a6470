import { describe, expect, it, onTestFinished, vi } from "vitest"
import type { JobStore } from "../../src/jobs/JobStore.ts"
import { inProcessQueue } from "../../src/jobs/inProcessQueue.ts"
import { creates, memoryEngine, withJobs } from "../support/jobs.ts"
import { failingToCommit, resultsOf, server, submitJob, worker } from "../support/workers.ts"

describe("a worker", () => {
  it("continues after another one has died, and does not run operations again whose results were kept", async () => {
    const front = server()
    const { location, id } = await submitJob(front, creates(50))
    const { hold } = (await front.engine.store.start({ job: id, chunk: 0 }))!
    for (const at of [0, 10]) await front.engine.store.checkpoint(hold, { at, ...resultsOf(at, 10, "kept") })
    const next = worker({ engine: front.engine })
    expect(await front.ended(location)).toMatchObject({ status: "succeeded", succeeded: 50 })
    expect(next.calls.inputs).toEqual(Array.from({ length: 30 }, (_, n) => ({ n: n + 20 })))
    const results = await front.results(location)
    expect(results.map(({ index }) => index)).toEqual(Array.from({ length: 50 }, (_, index) => index))
    expect(results.filter((result) => result.id === "kept")).toHaveLength(20)
  })

  it("gives up a chunk that kills its workers, keeps its results so far, and runs the others", async () => {
    const engine = memoryEngine()
    const front = server(engine, { chunkOperations: 20 })
    const { location, id } = await submitJob(front, creates(60))
    const { hold } = (await engine.store.start({ job: id, chunk: 1 }))!
    await engine.store.checkpoint(hold, { at: 0, ...resultsOf(20, 5, "kept") })
    for (let start = 0; start < 4; start++) await engine.store.start({ job: id, chunk: 1 })
    worker({ engine })
    expect(await front.ended(location)).toMatchObject({ status: "partial", succeeded: 45, failed: 15 })
    const results = await front.results(location, "status=failed")
    expect(results.map(({ index, error }) => ({ index, code: error?.code }))).toEqual(
      Array.from({ length: 15 }, (_, n) => ({ index: n + 25, code: "WORKER_LOST" })),
    )
  })

  it("runs only the last slice again if the store failed to commit", async () => {
    const errors: Array<unknown> = []
    const next = worker({ engine: failingToCommit(1), onError: (error) => errors.push(error) })
    const { location } = await submitJob(next, creates(30))
    expect(await next.ended(location)).toMatchObject({ status: "succeeded", succeeded: 30 })
    expect(next.calls.inputs).toHaveLength(40)
    expect(errors.map(String)).toEqual(["Error: The store is unreachable"])
  })

  it("gives up operations whose results it could not commit", { timeout: 30_000 }, async () => {
    const next = worker({ engine: failingToCommit(6), onError: () => {} })
    const { location } = await submitJob(next, creates(30))
    expect(await next.ended(location)).toMatchObject({ status: "partial", succeeded: 20, failed: 10 })
    expect((await next.results(location)).at(-1)).toMatchObject({ error: { code: "WORKER_LOST" } })
  })

  it("sends signs of life while it runs a chunk", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] })
    onTestFinished(() => void vi.useRealTimers())
    const { store, queue } = memoryEngine()
    let signs = 0
    const keepAlive: JobStore["keepAlive"] = async (...args) => {
      signs++
      return store.keepAlive(...args)
    }
    const slow = worker({ engine: { store: { ...store, keepAlive }, queue } })
    const { location } = await submitJob(
      slow,
      creates(1, () => ({ ms: 300 })),
    )
    await vi.waitUntil(() => slow.calls.inputs.length === 1)
    vi.advanceTimersByTime(45_000)
    expect(signs).toBe(4)
    expect(await slow.ended(location)).toMatchObject({ status: "succeeded" })
    vi.advanceTimersByTime(45_000)
    expect(signs).toBe(4)
  })

  it("enqueues the next chunk again if the queue was unreachable", async () => {
    const { store, queue } = memoryEngine()
    let failures = 0
    const enqueue: typeof queue.enqueue = async (refs, options) => {
      if (refs[0]!.chunk === 4 && failures++ < 1) throw new Error("The queue is unreachable")
      return queue.enqueue(refs, options)
    }
    const next = worker({ engine: { store, queue: { ...queue, enqueue } }, chunkOperations: 10, onError: () => {} })
    const { location } = await submitJob(next, creates(50))
    expect(await next.ended(location)).toMatchObject({ status: "succeeded", succeeded: 50 })
    expect(failures).toBe(2)
  })

  it("finds the chunks that a volatile queue has lost", async () => {
    const { store, queue } = memoryEngine()
    const front = server({ store, queue }, { chunkOperations: 10 })
    const { location } = await submitJob(front, creates(60))
    worker({ engine: { store, queue: inProcessQueue() } })
    expect(await front.ended(location)).toMatchObject({ status: "succeeded", succeeded: 60 })
  })

  it("leaves jobs of unknown endpoints to other workers", async () => {
    const engine = memoryEngine()
    const errors: Array<unknown> = []
    worker({ engine, onError: (error) => errors.push(error) })
    const id = "A".repeat(22)
    const job = { id, tenant: "a", endpoint: "elsewhere", settings: "{}", key: undefined, lifeMs: 60_000 }
    const chunk = { index: 0, first: 0, operations: 1, payload: "{}" }
    const extent = { total: 1, chunks: 1, window: 1, fingerprint: "f".repeat(43) }
    const limits = { queuedOperations: 10, jobsPerTenant: undefined }
    const acceptance = await engine.store.submit(job, extent, [chunk], limits)
    await engine.queue.enqueue(acceptance._tag === "accepted" ? acceptance.due : [])
    await expect.poll(() => errors.map(String)).toContainEqual(expect.stringContaining(`"elsewhere"`))
    await expect.poll(async () => (await engine.store.start({ job: id, chunk: 0 }))?.starts).toBe(1)
  })
})

describe("a worker that closes", () => {
  it("stops after its slice, and the next worker does not run that slice again", async () => {
    // The queue outlives the worker that closes.
    const queue = { ...inProcessQueue(), isVolatile: false, close: async () => undefined }
    const engine = { store: memoryEngine().store, queue }
    const front = server(engine)
    const closing = withJobs({ engine, sliceOperations: 10, shutdownTimeout: 0 }, { concurrency: 1 })
    const { location } = await submitJob(
      front,
      creates(80, () => ({ ms: 3 })),
    )
    await expect.poll(() => closing.calls.inputs.length, { interval: 1 }).toBeGreaterThan(12)
    await closing.batch.close()
    const ran = closing.calls.inputs.length
    expect(ran % 10).toBe(0)
    expect(ran).toBeLessThan(80)
    const next = worker({ engine })
    expect(await front.ended(location)).toMatchObject({ status: "succeeded", succeeded: 80 })
    const all = [...closing.calls.inputs, ...next.calls.inputs] as ReadonlyArray<{ readonly n: number }>
    expect(all.map(({ n }) => n)).toEqual(Array.from({ length: 80 }, (_, n) => n))
  })

  it("starts no more chunks, and closes once however often it is told to", async () => {
    const engine = memoryEngine()
    const closing = withJobs({ engine, chunkOperations: 5, workers: 1 }, { concurrency: 1 })
    await closing.submit(creates(50, () => ({ ms: 10 })))
    await expect.poll(() => closing.calls.inputs.length, { interval: 1 }).toBeGreaterThan(1)
    const started = Math.ceil(closing.calls.inputs.length / 5) * 5
    await Promise.all([closing.batch.close(), closing.batch.close()])
    expect(closing.calls.inputs.length).toBeLessThanOrEqual(started + 5)
    expect(await engine.store.queued()).toBeGreaterThan(30)
  })
})
