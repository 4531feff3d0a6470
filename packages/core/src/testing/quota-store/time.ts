/** Tests of how units come back, by the time of the tests and by the store's own clock. */
import { describe, expect, it } from "vitest"
import { account, type Backend, demand, start } from "./Fixture.ts"

/** Declares the tests. */
export const time = (backend: () => Backend): void => {
  describe("time", () => {
    it("brings units back evenly", async () => {
      const { charge, remaining } = account(backend().store)
      await charge(demand(10), 10, start)
      expect(await remaining(start + 1)).toBe(1)
      expect(await remaining(start + 2_500)).toBe(2_500)
      expect(await remaining(start + 9_999)).toBe(9_999)
      expect(await remaining(start + 10_000)).toBe(10_000)
      expect(await remaining(start + 1e9)).toBe(10_000)
    })

    it("has no boundary at which a limit is available twice", async () => {
      const { charge } = account(backend().store)
      await charge(demand(10), 10, start + 9_999)
      expect(await charge(demand(10), 1, start + 10_001)).toMatchObject({ granted: false, retryAfterMs: 998 })
    })

    it("that goes backwards brings no units back", async () => {
      const { charge } = account(backend().store)
      await charge(demand(10), 10, start)
      expect(await charge(demand(1), 1, start - 3_600_000)).toMatchObject({ granted: false })
      expect(await charge(demand(10), 10, start + 10_000)).toMatchObject({ granted: true })
    })

    it("is not extended by denied charges", async () => {
      const { charge } = account(backend().store)
      await charge(demand(10), 10, start)
      for (let attempt = 0; attempt < 10; attempt++) await charge(demand(5), 5, start + attempt)
      expect(await charge(demand(5), 5, start + 5_000)).toMatchObject({ granted: true })
    })

    it("follows the new limit and window after a policy has changed", async () => {
      const { charge, remaining } = account(backend().store)
      await charge(demand(10), 10, start)
      const stricter = demand(0, { limit: 4_000, windowMs: 2_000 })
      expect(await remaining(start, stricter)).toBe(0)
      expect(await remaining(start + 10_000, stricter)).toBe(4_000)
      const higher = demand(0, { limit: 100_000, windowMs: 10_000 })
      expect(await remaining(start + 5_000, higher)).toBe(50_000)
    })

    it("is that of the store's own clock by default", async () => {
      const { charge, remaining } = account(backend().store)
      const fastDemand = (count: number) => demand(count, { windowMs: 1_000 })
      expect(await charge(fastDemand(10), 10)).toMatchObject({ granted: true })
      const denied = await charge(fastDemand(5), 5)
      expect(denied).toMatchObject({ granted: false })
      await new Promise((resolve) => setTimeout(resolve, Number(denied.retryAfterMs) + 20))
      expect(await charge(fastDemand(5), 5)).toMatchObject({ granted: true })
      await new Promise((resolve) => setTimeout(resolve, 1_100))
      expect(await remaining(undefined, fastDemand(0))).toBe(10_000)
    })
  })
}
