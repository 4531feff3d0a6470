/** How units come back, by a clock that the tests set and by the store's own. */
import { describe, expect, it } from "vitest"
import { account, type Backend, demand, start } from "./Fixture.ts"

/** Declares the cases. */
export const time = (backend: () => Backend): void => {
  describe("time", () => {
    it("brings units back evenly", async () => {
      const { charge, left } = account(backend().store)
      await charge(demand(10), 10, start)
      expect(await left(start + 1)).toBe(1)
      expect(await left(start + 2_500)).toBe(2_500)
      expect(await left(start + 9_999)).toBe(9_999)
      expect(await left(start + 10_000)).toBe(10_000)
      expect(await left(start + 1e9)).toBe(10_000)
    })

    it("has no edge at which a limit is there twice", async () => {
      const { charge } = account(backend().store)
      await charge(demand(10), 10, start + 9_999)
      expect(await charge(demand(10), 1, start + 10_001)).toMatchObject({ granted: false, retryAfterMs: 998 })
    })

    it("that runs backwards gives nothing away", async () => {
      const { charge } = account(backend().store)
      await charge(demand(10), 10, start)
      expect(await charge(demand(1), 1, start - 3_600_000)).toMatchObject({ granted: false })
      expect(await charge(demand(10), 10, start + 10_000)).toMatchObject({ granted: true })
    })

    it("makes nobody wait longer for being denied", async () => {
      const { charge } = account(backend().store)
      await charge(demand(10), 10, start)
      for (let attempt = 0; attempt < 10; attempt++) await charge(demand(5), 5, start + attempt)
      expect(await charge(demand(5), 5, start + 5_000)).toMatchObject({ granted: true })
    })

    it("counts by the new limit and window where a policy was changed", async () => {
      const { charge, left } = account(backend().store)
      await charge(demand(10), 10, start)
      const stricter = demand(0, { limit: 4_000, windowMs: 2_000 })
      expect(await left(start, stricter)).toBe(0)
      expect(await left(start + 10_000, stricter)).toBe(4_000)
      const roomier = demand(0, { limit: 100_000, windowMs: 10_000 })
      expect(await left(start + 5_000, roomier)).toBe(50_000)
    })

    it("is the store's own where none is given", async () => {
      const { charge, left } = account(backend().store)
      const quick = (count: number) => demand(count, { windowMs: 1_000 })
      expect(await charge(quick(10), 10)).toMatchObject({ granted: true })
      const denied = await charge(quick(5), 5)
      expect(denied).toMatchObject({ granted: false })
      await new Promise((resolve) => setTimeout(resolve, Number(denied.retryAfterMs) + 20))
      expect(await charge(quick(5), 5)).toMatchObject({ granted: true })
      await new Promise((resolve) => setTimeout(resolve, 1_100))
      expect(await left(undefined, quick(0))).toBe(10_000)
    })
  })
}
