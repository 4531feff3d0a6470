import { describe, expect, it, onTestFinished } from "vitest"
import type { JobOptions } from "../../src/jobs/JobOptions.ts"
import { creates, withJobs } from "../support/jobs.ts"
import { send } from "../support/endpoints.ts"

const shared = (jobs: Partial<JobOptions> = {}) => {
  const made = withJobs({ chunkOperations: 10, sliceOperations: 5, workers: 1, ...jobs }, { concurrency: 1 })
  onTestFinished(async () => made.batch.close())
  const submitAs = async (raw: string, value: object) => {
    const answer = await send(made.operations, value, {
      raw,
      url: "/things/batch",
      headers: { prefer: "respond-async" },
    })
    return answer.headers["location"]!
  }
  const stateOf = async (raw: string, location: string) => (await made.json("GET", location, { raw })).json
  const ended = (raw: string, location: string) =>
    expect.poll(async () => (await stateOf(raw, location)).status, { timeout: 20_000, interval: 5 }).toBe("succeeded")
  return { ...made, submitAs, stateOf, ended }
}

describe("tenants", () => {
  it("share the workers: a job of one row does not wait for the long jobs of another tenant", async () => {
    const { submitAs, stateOf, ended } = shared()
    const long: Array<string> = []
    for (let job = 0; job < 4; job++)
      long.push(
        await submitAs(
          "a",
          creates(100, () => ({ ms: 5 })),
        ),
      )
    await expect.poll(async () => (await stateOf("a", long[0]!)).completed).toBeGreaterThan(0)
    const short = await submitAs("b", creates(1))
    await ended("b", short)
    for (const location of long) expect((await stateOf("a", location)).completed).toBeLessThan(100)
    await Promise.all(long.map((location) => ended("a", location)))
  })

  it("need not wait for the end of a long chunk", async () => {
    const { submitAs, stateOf, ended } = shared({ chunkOperations: 500 })
    const long = await submitAs(
      "a",
      creates(100, () => ({ ms: 40 })),
    )
    await expect.poll(async () => (await stateOf("a", long)).status).toBe("running")
    await ended("b", await submitAs("b", creates(1)))
    expect((await stateOf("a", long)).status).toBe("running")
    await ended("a", long)
  })

  it("take turns by their weights", async () => {
    const { submitAs, stateOf, ended } = shared({ weight: (tenant) => (tenant === "b" ? 3 : 1) })
    const first = await submitAs(
      "a",
      creates(400, () => ({ ms: 1 })),
    )
    const second = await submitAs(
      "b",
      creates(200, () => ({ ms: 1 })),
    )
    await ended("b", second)
    const { completed } = await stateOf("a", first)
    expect(completed).toBeGreaterThanOrEqual(30)
    expect(completed).toBeLessThanOrEqual(120)
  })
})
