import { describe, expect, it } from "vitest"
import { mostRepeated, places, trouble } from "./jobFaults.ts"

// The tests wait for queues to notice that a worker died, so they wait together.
describe.concurrent("a job", () => {
  it("on BullMQ is finished by another worker when one is killed", { timeout: 90_000 }, async () => {
    const place = await places["BullMQ on Redis"]()
    const outcome = await trouble(place, async ([worker]) => worker!.kill("SIGKILL"), { count: 3000 })
    expect(outcome).toMatchObject({ status: "succeeded", succeeded: 3000, lost: 0, codes: { success: 3000 } })
    expect(outcome.repeated).toBeLessThanOrEqual(mostRepeated)
  })

  it("on pg-boss that commits each chunk as one runs each operation once", { timeout: 90_000 }, async () => {
    const place = await places["pg-boss on PostgreSQL"]()
    const options = { count: 3000, exactlyOnce: true }
    const outcome = await trouble(place, async ([worker]) => worker!.kill("SIGKILL"), options)
    expect(outcome).toMatchObject({ status: "succeeded", succeeded: 3000, lost: 0, repeated: 0 })
  })

  it.each(Object.entries(places))(
    "on %s repeats nothing when a worker is stopped",
    { timeout: 90_000 },
    async (_, place) => {
      const outcome = await trouble(await place(), async ([worker]) => worker!.kill("SIGTERM"), { count: 3000 })
      expect(outcome).toMatchObject({ status: "succeeded", succeeded: 3000, lost: 0, repeated: 0 })
    },
  )
})
