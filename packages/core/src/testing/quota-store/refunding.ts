/** Tests of refunds. */
import { describe, expect, it } from "vitest"
import { randomId } from "../../platform/randomId.ts"
import { account, type Backend, demand, start } from "./Fixture.ts"

/** Declares the tests. */
export const refunding = (backend: () => Backend): void => {
  describe("refunding", () => {
    it("gives units back", async () => {
      const { charge, refund, remaining } = account(backend().store)
      const id = randomId()
      await charge(demand(8), 8, start, id)
      await refund(id, 5_000, start)
      expect(await remaining(start)).toBe(7_000)
    })

    it("takes effect once per charge", async () => {
      const { charge, refund, remaining } = account(backend().store)
      const id = randomId()
      await charge(demand(8), 8, start, id)
      await refund(id, 2_000, start)
      await refund(id, 2_000, start)
      expect(await remaining(start)).toBe(4_000)
    })

    it("never raises a policy above its limit", async () => {
      const { charge, refund, remaining } = account(backend().store)
      const id = randomId()
      await charge(demand(2), 2, start, id)
      await refund(id, 9_000, start)
      expect(await remaining(start)).toBe(10_000)
      expect(await charge(demand(11), 1, start)).toMatchObject({ admitted: 10 })
    })

    it("has no effect after the whole limit has come back", async () => {
      const { charge, refund, remaining } = account(backend().store)
      const id = randomId()
      await charge(demand(8), 8, start, id)
      const later = start + 20_000
      await charge(demand(3), 3, later)
      await refund(id, 1_000, later + 1_000)
      expect(await remaining(later + 1_000)).toBeLessThanOrEqual(9_000)
      await refund(randomId(), 8_000, later + 30_000)
      expect(await remaining(later + 30_000)).toBe(10_000)
    })

    it("of an unknown subject changes nothing", async () => {
      const { refund, remaining } = account(backend().store)
      await refund(randomId(), 5_000, start)
      expect(await remaining(start)).toBe(10_000)
    })
  })
}
