import { describe, expect, it, onTestFinished, vi } from "vitest"
import { creates, memoryEngine } from "../support/jobs.ts"
import { commitAsRival, server, submitJob, worker } from "../support/workers.ts"

describe("a chunk that was sent several times while it waited", () => {
  it("runs once", async () => {
    const engine = memoryEngine()
    const front = server(engine)
    const { location, id } = await submitJob(
      front,
      creates(20, () => ({ ms: 2 })),
    )
    for (let dispatch = 1; dispatch < 9; dispatch++) await engine.queue.enqueue([{ job: id, chunk: 0, dispatch }])
    const next = worker({ engine, workers: 8 })
    expect(await front.ended(location)).toMatchObject({ status: "succeeded", succeeded: 20 })
    expect(next.calls.inputs).toHaveLength(20)
  })
})

describe("a worker that was thought dead", () => {
  it("stops after its slice, and its results are not seen", async () => {
    const engine = memoryEngine()
    const zombie = worker({ engine })
    const { location, id } = await submitJob(
      zombie,
      creates(40, () => ({ ms: 5 })),
    )
    await expect.poll(() => zombie.calls.inputs.length, { interval: 1 }).toBeGreaterThan(12)
    const rival = (await engine.store.start({ job: id, chunk: 0 }))!
    const before = zombie.calls.inputs.length
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(zombie.calls.inputs.length).toBeLessThanOrEqual(before + 10)
    expect((await zombie.json("GET", location)).json).toMatchObject({ status: "running", completed: 0 })
    await commitAsRival(engine.store, rival)
    expect(await zombie.ended(location)).toMatchObject({ status: "succeeded", succeeded: 40 })
    const results = await zombie.results(location)
    expect(results.filter((result) => result.id === "rival")).toHaveLength(40)
  })

  it("stops within its slice once a sign of life is refused", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] })
    onTestFinished(() => void vi.useRealTimers())
    const engine = memoryEngine()
    const zombie = worker({ engine, sliceOperations: 1_000 })
    const { location, id } = await submitJob(
      zombie,
      creates(200, () => ({ ms: 5 })),
    )
    await vi.waitUntil(() => zombie.calls.inputs.length > 2)
    const rival = (await engine.store.start({ job: id, chunk: 0 }))!
    vi.advanceTimersByTime(15_000)
    await new Promise((resolve) => setTimeout(resolve, 20))
    const started = zombie.calls.inputs.length
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(zombie.calls.inputs).toHaveLength(started)
    expect(started).toBeLessThan(150)
    await commitAsRival(engine.store, rival)
    vi.useRealTimers()
    expect(await zombie.ended(location)).toMatchObject({ status: "succeeded", succeeded: 200 })
  })
})
