import { setTimeout as delay } from "node:timers/promises"
import { freshDatabase, startPostgres, startRedis } from "@multistatus/test-services"
import { describe, expect, inject, it } from "vitest"
import { mostRepeated, places, trouble } from "./jobFaults.ts"

describe.each(Object.entries(places))("a job on %s", (name, place) => {
  it(
    "is finished by another worker when one is killed, and repeats at most the open slices",
    { timeout: 180_000 },
    async () => {
      const recover = async () => {
        const outcome = await trouble(await place(), async ([worker]) => worker!.kill("SIGKILL"), { ready: 0.4 })
        console.log(
          `${name}: killed, ended ${(outcome.recoveredMs / 1000).toFixed(1)} s later, ${outcome.repeated} repeated`,
        )
        expect(outcome).toMatchObject({ status: "succeeded", succeeded: 10_000, lost: 0, codes: { success: 10_000 } })
        expect(outcome.repeated).toBeLessThanOrEqual(mostRepeated)
        return outcome.recoveredMs
      }
      const took = await recover()
      if (took < 20_000) return
      // It died between its store and its queue, which is noticed half a minute later, and happens seldom.
      expect(took).toBeLessThan(60_000)
      expect(await recover()).toBeLessThan(20_000)
    },
  )

  it("repeats nothing when a worker is stopped", { timeout: 90_000 }, async () => {
    const outcome = await trouble(await place(), async ([worker]) => worker!.kill("SIGTERM"))
    expect(outcome).toMatchObject({ status: "succeeded", succeeded: 10_000, lost: 0, repeated: 0 })
  })

  it("ignores the results of a worker that was frozen and thought dead", { timeout: 180_000 }, async () => {
    const outcome = await trouble(await place(), async ([worker]) => {
      worker!.kill("SIGSTOP")
      await delay(20_000)
      worker!.kill("SIGCONT")
    })
    expect(outcome).toMatchObject({ status: "succeeded", succeeded: 10_000, lost: 0, codes: { success: 10_000 } })
    expect(outcome.repeated).toBeLessThanOrEqual(2 * mostRepeated)
  })

  it(
    "fails the operations of a chunk that crashes every worker, and runs the others",
    { timeout: 300_000 },
    async () => {
      const outcome = await trouble(await place(), async () => undefined, { count: 3000, poisonAt: 1000, ready: 0 })
      expect(outcome.status).toBe("partial")
      expect(outcome.codes["WORKER_LOST"]).toBeGreaterThan(0)
      expect(outcome.codes["WORKER_LOST"]).toBeLessThanOrEqual(250)
      expect(outcome.succeeded).toBe(3000 - outcome.codes["WORKER_LOST"]!)
    },
  )
})

it("a job that commits each chunk as one runs each operation once when a worker is killed", async () => {
  const place = await places["pg-boss on PostgreSQL"]()
  const outcome = await trouble(place, async ([worker]) => worker!.kill("SIGKILL"), { exactlyOnce: true })
  expect(outcome).toMatchObject({ status: "succeeded", succeeded: 10_000, lost: 0, repeated: 0 })
})

it("a job continues when its PostgreSQL is back", { timeout: 120_000 }, async () => {
  await using postgres = await startPostgres()
  const outcome = await trouble({ databaseUrl: postgres.url, redisUrl: undefined }, async () => {
    await postgres.kill()
    await delay(3000)
    await postgres.restart()
  })
  expect(outcome).toMatchObject({ status: "succeeded", succeeded: 10_000, lost: 0 })
})

it("a job continues when its Redis is back", { timeout: 120_000 }, async () => {
  await using redis = await startRedis({ durable: true })
  const databaseUrl = await freshDatabase(inject("postgresUrl"))
  const outcome = await trouble({ databaseUrl, redisUrl: redis.url }, async () => {
    await redis.kill()
    await delay(3000)
    await redis.restart()
  })
  expect(outcome).toMatchObject({ status: "succeeded", succeeded: 10_000, lost: 0 })
})

it(
  "a job runs whose server died after it accepted it and before it sent it to the queue",
  { timeout: 120_000 },
  async () => {
    const outcome = await trouble(
      {
        databaseUrl: await freshDatabase(inject("postgresUrl")),
        redisUrl: await freshDatabase(inject("redisUrl")),
      },
      async () => undefined,
      { count: 2000, ready: 0, losesFirst: true },
    )
    expect(outcome).toMatchObject({ status: "succeeded", succeeded: 2000, lost: 0, repeated: 0 })
  },
)
