import { describe, expect, it, onTestFinished } from "vitest"
import type { BatchOptions } from "../../src/api/BatchOptions.ts"
import { runWorker } from "../../src/api/runWorker.ts"
import { memoryIdempotencyStore } from "../../src/idempotency/memoryIdempotencyStore.ts"
import { memoryQuotaStore } from "../../src/quota/memoryQuotaStore.ts"
import { creates, things, withJobs } from "../support/jobs.ts"

describe("a worker", () => {
  it("runs the jobs that servers accepted, without a tenant function", async () => {
    const options: BatchOptions<string> = {
      idempotency: { store: memoryIdempotencyStore() },
      quota: { store: memoryQuotaStore(), policies: [{ name: "ops", limit: 1000, per: 60_000 }] },
    }
    const server = withJobs({ workers: 0 }, options)
    const done = { inputs: [], most: 0 }
    const worker = runWorker<string>({ ...options, jobs: { engine: server.engine } }, (batch) => {
      batch.operations(things(done))
      batch.bulk(things(done), "create")
    })
    onTestFinished(() => worker.close())
    const { headers } = await server.submit(creates(30))
    expect(await server.ended(headers["location"]!)).toMatchObject({ status: "succeeded", succeeded: 30 })
    expect([server.calls.inputs.length, done.inputs.length]).toEqual([0, 30])
  })

  it("cannot be made without jobs", () => {
    const none = {} as Parameters<typeof runWorker>[0]
    expect(() => runWorker(none, () => {})).toThrow(`A worker needs "jobs"`)
  })
})
