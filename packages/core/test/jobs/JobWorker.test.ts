import { describe, expect, it, onTestFinished, vi } from "vitest"
import type { JobOptions } from "../../src/jobs/JobOptions.ts"
import type { StartedChunk } from "../../src/jobs/Job.ts"
import type { JobStore } from "../../src/jobs/JobStore.ts"
import { inProcessQueue } from "../../src/jobs/inProcessQueue.ts"
import { creates, memoryEngine, withJobs } from "../support/jobs.ts"

/** A server that takes jobs in, whose workers are elsewhere. */
const front = (engine = memoryEngine()) => withJobs({ engine, workers: 0, sliceOperations: 10 })

/** A process that runs jobs; it is closed with the test. */
const worker = (jobs: Partial<JobOptions>) => {
  const made = withJobs({ sliceOperations: 10, ...jobs }, { concurrency: 1 })
  onTestFinished(async () => made.batch.close())
  return made
}

/** Hands in a job of one chunk; where it is, and its id. */
const handIn = async ({ submit }: ReturnType<typeof front>, body: object) => {
  const { headers } = await submit(body)
  const location = headers["location"]!
  return { location, id: location.split("/").at(-1)! }
}

const linesOf = async ({ ask }: ReturnType<typeof front>, location: string) => {
  const answer = await ask("GET", `${location}/results?limit=1000`, { headers: { accept: "application/json" } })
  return (JSON.parse(answer.body) as { readonly results: ReadonlyArray<Result> }).results
}

interface Result {
  readonly index: number
  readonly status: string
  readonly id?: string
  readonly error?: { readonly code: string }
}

/** Whose store fails to commit so many chunks. */
const failingToCommit = (failures: number) => {
  const { store, queue } = memoryEngine()
  let left = failures
  const commit: JobStore["commit"] = async (...given) => {
    if (left-- > 0) throw new Error("The store does not answer")
    return store.commit(...given)
  }
  return { store: { ...store, commit }, queue }
}

/** What a worker keeps of operations that it has run. */
const kept = (at: number, count: number) => ({
  at,
  results: Array.from({ length: count }, (_, n) => `{"index":${at + n},"status":"success","id":"kept"}`).join("\n"),
  tally: { succeeded: count, failed: 0, skipped: 0 },
})

describe("a worker", () => {
  it("goes on where another has died, and runs nothing again of what that one kept", async () => {
    const server = front()
    const { location, id } = await handIn(server, creates(50))
    const { hold } = (await server.engine.store.start({ job: id, chunk: 0 }))!
    for (const at of [0, 10]) await server.engine.store.checkpoint(hold, kept(at, 10))
    const next = worker({ engine: server.engine })
    expect(await server.ended(location)).toMatchObject({ status: "succeeded", succeeded: 50 })
    expect(next.done.inputs).toEqual(Array.from({ length: 30 }, (_, n) => ({ n: n + 20 })))
    const lines = await linesOf(server, location)
    expect(lines.map(({ index }) => index)).toEqual(Array.from({ length: 50 }, (_, index) => index))
    expect(lines.filter((line) => line.id === "kept")).toHaveLength(20)
  })

  it("gives up a chunk that ends whoever runs it, keeps what was done, and goes on with the others", async () => {
    const engine = memoryEngine()
    const server = withJobs({ engine, workers: 0, chunkOperations: 20 })
    const { location, id } = await handIn(server, creates(60))
    const { hold } = (await engine.store.start({ job: id, chunk: 1 }))!
    await engine.store.checkpoint(hold, kept(0, 5))
    for (let start = 0; start < 4; start++) await engine.store.start({ job: id, chunk: 1 })
    worker({ engine })
    expect(await server.ended(location)).toMatchObject({ status: "partial", succeeded: 45, failed: 15 })
    const lines = await linesOf(server, location)
    expect(lines.flatMap(({ index, error }) => (error?.code === "WORKER_LOST" ? [index] : []))).toEqual(
      Array.from({ length: 15 }, (_, n) => n + 25),
    )
  })

  it("runs only its last slice again when the store failed to keep its results", async () => {
    const told: Array<unknown> = []
    const next = worker({ engine: failingToCommit(1), onError: (error) => told.push(error) })
    const { location } = await handIn(next, creates(30))
    expect(await next.ended(location)).toMatchObject({ status: "succeeded", succeeded: 30 })
    expect(next.done.inputs).toHaveLength(40)
    expect(told.map(String)).toEqual(["Error: The store does not answer"])
  })

  it(
    "says of operations that they were lost, if their results could not be kept for good",
    { timeout: 30_000 },
    async () => {
      const next = worker({ engine: failingToCommit(6), onError: () => {} })
      const { location } = await handIn(next, creates(30))
      expect(await next.ended(location)).toMatchObject({ status: "partial", succeeded: 20, failed: 10 })
      expect((await linesOf(next, location)).at(-1)).toMatchObject({ error: { code: "WORKER_LOST" } })
    },
  )

  it("says that a chunk is alive while nothing can be kept of it", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] })
    onTestFinished(() => void vi.useRealTimers())
    const { store, queue } = memoryEngine()
    let signs = 0
    const heard: JobStore = {
      ...store,
      keepAlive: async (...given) => {
        signs++
        return store.keepAlive(...given)
      },
    }
    const slow = worker({ engine: { store: heard, queue } })
    const { location } = await handIn(
      slow,
      creates(1, () => ({ ms: 300 })),
    )
    await vi.waitUntil(() => slow.done.inputs.length === 1)
    vi.advanceTimersByTime(45_000)
    expect(signs).toBe(4)
    expect(await slow.ended(location)).toMatchObject({ status: "succeeded" })
    vi.advanceTimersByTime(45_000)
    expect(signs).toBe(4)
  })

  it("sends the next chunk again where the queue did not answer", async () => {
    const { store, queue } = memoryEngine()
    let failures = 0
    const enqueue: typeof queue.enqueue = async (refs, options) => {
      if (refs[0]!.chunk === 4 && failures++ < 1) throw new Error("The queue does not answer")
      return queue.enqueue(refs, options)
    }
    const next = worker({ engine: { store, queue: { ...queue, enqueue } }, chunkOperations: 10, onError: () => {} })
    const { location } = await handIn(next, creates(50))
    expect(await next.ended(location)).toMatchObject({ status: "succeeded", succeeded: 50 })
    expect(failures).toBe(2)
  })

  it("runs a chunk once that was sent over and over while it waited", async () => {
    const engine = memoryEngine()
    const server = front(engine)
    const { location, id } = await handIn(
      server,
      creates(20, () => ({ ms: 2 })),
    )
    for (let dispatch = 1; dispatch < 9; dispatch++) await engine.queue.enqueue([{ job: id, chunk: 0, dispatch }])
    const next = worker({ engine, workers: 8 })
    expect(await server.ended(location)).toMatchObject({ status: "succeeded", succeeded: 20 })
    expect(next.done.inputs).toHaveLength(20)
  })

  it("brings nothing more once its chunk was given to another", async () => {
    const engine = memoryEngine()
    const zombie = worker({ engine })
    const { location, id } = await handIn(
      zombie,
      creates(40, () => ({ ms: 5 })),
    )
    await expect.poll(() => zombie.done.inputs.length, { interval: 1 }).toBeGreaterThan(12)
    const rival = (await engine.store.start({ job: id, chunk: 0 }))!
    const before = zombie.done.inputs.length
    await new Promise((resolve) => setTimeout(resolve, 300))
    // It ends the slice that it is at, and learns then that it has lost the chunk.
    expect(zombie.done.inputs.length).toBeLessThanOrEqual(before + 10)
    expect((await zombie.json("GET", location)).json).toMatchObject({ status: "running", completed: 0 })
    await commitAll(engine.store, rival)
    expect(await zombie.ended(location)).toMatchObject({ status: "succeeded", succeeded: 40 })
    const lines = await linesOf(zombie, location)
    expect(lines.filter((line) => line.id === "rival")).toHaveLength(40)
  })

  it("begins nothing more, in the midst of a slice, once it hears that its chunk was given to another", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] })
    onTestFinished(() => void vi.useRealTimers())
    const engine = memoryEngine()
    const zombie = worker({ engine, sliceOperations: 1_000 })
    const { location, id } = await handIn(
      zombie,
      creates(200, () => ({ ms: 5 })),
    )
    await vi.waitUntil(() => zombie.done.inputs.length > 2)
    const rival = (await engine.store.start({ job: id, chunk: 0 }))!
    vi.advanceTimersByTime(15_000)
    await new Promise((resolve) => setTimeout(resolve, 20))
    const heard = zombie.done.inputs.length
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(zombie.done.inputs).toHaveLength(heard)
    expect(heard).toBeLessThan(150)
    await commitAll(engine.store, rival)
    vi.useRealTimers()
    expect(await zombie.ended(location)).toMatchObject({ status: "succeeded", succeeded: 200 })
  })

  it("that shuts down stops between two slices, and whoever goes on runs nothing again", async () => {
    // A queue that outlives the one who leaves.
    const queue = { ...inProcessQueue(), isVolatile: false, close: async () => undefined }
    const engine = { store: memoryEngine().store, queue }
    const server = front(engine)
    const leaving = withJobs({ engine, sliceOperations: 10, shutdownTimeout: 0 }, { concurrency: 1 })
    const { location } = await handIn(
      server,
      creates(80, () => ({ ms: 3 })),
    )
    await expect.poll(() => leaving.done.inputs.length, { interval: 1 }).toBeGreaterThan(12)
    await leaving.batch.close()
    const done = leaving.done.inputs.length
    expect(done % 10).toBe(0)
    expect(done).toBeLessThan(80)
    const next = worker({ engine })
    expect(await server.ended(location)).toMatchObject({ status: "succeeded", succeeded: 80 })
    const all = [...leaving.done.inputs, ...next.done.inputs] as ReadonlyArray<{ readonly n: number }>
    expect(all.map(({ n }) => n)).toEqual(Array.from({ length: 80 }, (_, n) => n))
  })

  it("finds what a queue forgot with its process", async () => {
    const { store, queue } = memoryEngine()
    const server = withJobs({ engine: { store, queue }, workers: 0, chunkOperations: 10 })
    const { location } = await handIn(server, creates(60))
    worker({ engine: { store, queue: inProcessQueue() } })
    expect(await server.ended(location)).toMatchObject({ status: "succeeded", succeeded: 60 })
  })

  it("leaves jobs of endpoints that it does not know to those that do", async () => {
    const engine = memoryEngine()
    const errors: Array<unknown> = []
    worker({ engine, onError: (error) => errors.push(error) })
    const id = "A".repeat(22)
    const job = { id, tenant: "a", endpoint: "elsewhere", settings: "{}", key: undefined, lifeMs: 60_000 }
    const chunk = { index: 0, first: 0, operations: 1, payload: "{}" }
    const extent = { total: 1, chunks: 1, window: 1, fingerprint: "f".repeat(43) }
    const limits = { queuedOperations: 10, jobsPerTenant: undefined }
    const admission = await engine.store.submit(job, extent, [chunk], limits)
    await engine.queue.enqueue(admission._tag === "accepted" ? admission.due : [])
    await expect.poll(() => errors.map(String)).toContainEqual(expect.stringContaining(`"elsewhere"`))
    await expect.poll(async () => (await engine.store.start({ job: id, chunk: 0 }))?.starts).toBe(1)
  })
})

const commitAll = (store: JobStore, { hold, operations }: StartedChunk) => {
  const lines = Array.from({ length: operations }, (_, n) => `{"index":${n},"status":"success","id":"rival"}`)
  const tally = { succeeded: operations, failed: 0, skipped: 0 }
  return store.commit(hold, { results: lines.join("\n"), tally, halt: undefined }, 60_000)
}
