import { freshDatabase } from "@multistatus/test-services"
import { describe, expect, inject, it } from "vitest"
import { mostRepeated, trouble } from "./jobFaults.ts"

const places = {
  "pg-boss on PostgreSQL": async () => ({
    databaseUrl: await freshDatabase(inject("postgresUrl")),
    redisUrl: undefined,
  }),
  "BullMQ on Redis": async () => ({
    databaseUrl: await freshDatabase(inject("postgresUrl")),
    redisUrl: await freshDatabase(inject("redisUrl")),
  }),
}

describe.each(Object.entries(places))("a job on %s", (name, place) => {
  it(
    "goes on by itself where a worker was killed, loses nothing, and repeats no more than open slices",
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

  it("repeats nothing where a worker was told to stop", { timeout: 90_000 }, async () => {
    const outcome = await trouble(await place(), async ([worker]) => worker!.kill("SIGTERM"), { count: 4000 })
    expect(outcome).toMatchObject({ status: "succeeded", succeeded: 4000, lost: 0, repeated: 0 })
  })
})

it(
  "a job whose chunks commit with what they did has done each operation once, whoever is killed",
  { timeout: 90_000 },
  async () => {
    const outcome = await trouble(
      await places["pg-boss on PostgreSQL"](),
      async ([worker]) => worker!.kill("SIGKILL"),
      { exactlyOnce: true },
    )
    expect(outcome).toMatchObject({ status: "succeeded", succeeded: 10_000, lost: 0, repeated: 0 })
  },
)
