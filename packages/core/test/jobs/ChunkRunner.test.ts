import { describe, expect, it } from "vitest"
import { failure } from "../../src/batch/Failure.ts"
import { resource } from "../../src/resources/Resource.ts"
import { FakeDatabase } from "../support/FakeDatabase.ts"
import { creates, withJobs } from "../support/jobs.ts"

describe("the chunks of a job", () => {
  it("run one after the other if they share an order key, and concurrently if not", async () => {
    const jobs = withJobs({ chunkOperations: 3, sliceOperations: 3 })
    const ids = Array.from({ length: 30 }, (_, n) => `id-${n % 5}-${n}`)
    const touches = (names: ReadonlyArray<string>) => ({ operations: names.map((id) => ({ action: "touch", id })) })
    const distinct = await jobs.submit(touches(ids))
    await jobs.ended(distinct.location)
    expect(await jobs.engine.store.find(distinct.json.id)).toMatchObject({ chunks: 10 })
    const repeated = ids.map((_, n) => `same-${n % 7}`)
    const shared = await jobs.submit(touches(repeated))
    await jobs.ended(shared.location)
    expect(jobs.calls.inputs.slice(30)).toEqual(repeated)
  })

  it("run one after the other if the lines of an upload share an order key", async () => {
    const jobs = withJobs({ chunkOperations: 3, sliceOperations: 3 })
    const ids = Array.from({ length: 30 }, (_, n) => `same-${n % 7}`)
    const { location } = await jobs.upload(ids.map((id) => JSON.stringify({ action: "touch", id })).join("\n"))
    await jobs.ended(location)
    expect(jobs.calls.inputs).toEqual(ids)
  })

  it("stop together after a number of failures", async () => {
    const jobs = withJobs({ chunkOperations: 10, sliceOperations: 5 }, { concurrency: 1 })
    const { location } = await jobs.submit({ ...creates(100, (n) => ({ n: n % 8 === 7 ? -1 : n })), stop_after: 3 })
    expect(await jobs.ended(location)).toMatchObject({ failed: 3, succeeded: 21, skipped: 76 })
    expect(jobs.calls.inputs).toHaveLength(24)
  })
})

describe("an atomic job", () => {
  it("runs in one transaction, up to its own limit of operations", async () => {
    const database = new FakeDatabase()
    const options = { unitOfWork: database, strategy: "atomic" as const }
    const jobs = withJobs({ chunkOperations: 5, atomicOperations: 30 }, options)
    const good = await jobs.submit(creates(30))
    expect(await jobs.ended(good.location)).toMatchObject({ status: "succeeded" })
    expect(database.begun).toBe(1)
    const bad = await jobs.submit(creates(30, (n) => ({ n: n === 20 ? -1 : n })))
    expect(await jobs.ended(bad.location)).toMatchObject({ status: "failed", succeeded: 0 })
    expect((await jobs.submit(creates(31))).json).toMatchObject({ code: "TOO_MANY_OPERATIONS", limit: 30 })
  })

  it("that fails gets the response of an atomic batch if its client waits", async () => {
    const jobs = withJobs({}, { unitOfWork: new FakeDatabase(), strategy: "atomic" })
    const value = creates(3, (n) => ({ n: n === 1 ? -1 : n }))
    const { status, json } = await jobs.submit(value, { prefer: "respond-async, wait=5" })
    expect(status).toBe(409)
    expect(json).toEqual({
      status: "failed",
      error: "Operation 2 failed: negative",
      operations_applied: 0,
      failed_index: 1,
      code: "CONFLICT",
    })
  })
})

describe("the quota of a job", () => {
  it("is charged chunk by chunk, and the job waits for it", { timeout: 20_000 }, async () => {
    const quota = { operations: 30, per: "1 second" }
    const jobs = withJobs({ chunkOperations: 20, sliceOperations: 10 }, { quota })
    const { location } = await jobs.submit(creates(60))
    expect(await jobs.ended(location)).toMatchObject({ status: "succeeded", succeeded: 60 })
  })

  it("is charged slice by slice if a chunk exceeds it", { timeout: 20_000 }, async () => {
    const quota = { operations: 20, per: "1 second" }
    const jobs = withJobs({ chunkOperations: 50, sliceOperations: 10 }, { quota })
    const { location } = await jobs.submit(creates(50))
    expect(await jobs.ended(location)).toMatchObject({ succeeded: 50 })
  })

  it("fails a chunk if a single slice exceeds it", async () => {
    const jobs = withJobs({ sliceOperations: 10 }, { quota: { operations: 5, per: "1 second" } })
    const { location } = await jobs.submit(creates(20))
    expect(await jobs.ended(location)).toMatchObject({ failed: 20 })
  })

  it("shows in the monitor that the job waits for it, and until when", async () => {
    const quota = { operations: 10, per: "1 day" } as const
    const jobs = withJobs({ sliceOperations: 5, chunkOperations: 10 }, { quota })
    const { location } = await jobs.submit(creates(20))
    await expect.poll(async () => (await jobs.json("GET", location)).json.waiting, { timeout: 5000 }).toBeDefined()
    const { json, headers } = await jobs.json("GET", location)
    expect(json).toMatchObject({ status: "running", completed: 10, waiting: { for: "quota" } })
    expect(Date.parse(json.waiting.until)).toBeGreaterThan(Date.now())
    expect(headers["etag"]).toContain(String(Date.parse(json.waiting.until)))
    await jobs.json("DELETE", location)
  })
})

describe("operations that fail because a store is unreachable", () => {
  const unreachable = (failures: number) => {
    const calls: Array<number> = []
    const resourceOfJobs = resource("things", {
      create: {
        run: (input: unknown) => {
          const { n } = input as { readonly n: number }
          calls.push(n)
          return calls.filter((call) => call === n).length <= failures && n % 2 === 1
            ? failure("STORE_UNAVAILABLE", "The database is unreachable", { retryable: true })
            : { id: `t_${n}` }
        },
      },
    })
    return { calls, resource: resourceOfJobs }
  }

  it("run again with a growing delay, and the others do not", async () => {
    const { calls, resource: things } = unreachable(2)
    const jobs = withJobs({ workers: 1 })
    const endpoint = jobs.batch.operations(things, { name: "unreachable" })
    const { location } = await jobs.submit(creates(4), {}, endpoint)
    expect(await jobs.ended(location)).toMatchObject({ status: "succeeded", succeeded: 4 })
    expect(calls.toSorted()).toEqual([0, 1, 1, 1, 2, 3, 3, 3])
    expect((await jobs.results(location)).map(({ index, id }) => [index, id])).toEqual(
      [0, 1, 2, 3].map((n) => [n, `t_${n}`]),
    )
  })

  it("run again with those that were rolled back because of them", async () => {
    const { resource: things } = unreachable(1)
    const jobs = withJobs({ workers: 1 }, { unitOfWork: new FakeDatabase(), strategy: "atomic" })
    const endpoint = jobs.batch.operations(things, { name: "unreachable" })
    const { location } = await jobs.submit(creates(2), {}, endpoint)
    expect(await jobs.ended(location)).toMatchObject({ status: "succeeded", succeeded: 2 })
  })
})
