/** What is given back. */
import { describe, expect, it } from "vitest"
import { randomId } from "../../platform/randomId.ts"
import { account, type Backend, demand, start } from "./Fixture.ts"

/** Declares the cases. */
export const refunding = (backend: () => Backend): void => {
  describe("refunding", () => {
    it("gives units back", async () => {
      const { charge, refund, left } = account(backend().store)
      const id = randomId()
      await charge(demand(8), 8, start, id)
      await refund(id, 5_000, start)
      expect(await left(start)).toBe(7_000)
    })

    it("gives them back once for each charge", async () => {
      const { charge, refund, left } = account(backend().store)
      const id = randomId()
      await charge(demand(8), 8, start, id)
      await refund(id, 2_000, start)
      await refund(id, 2_000, start)
      expect(await left(start)).toBe(4_000)
    })

    it("never makes more of a limit than the whole", async () => {
      const { charge, refund, left } = account(backend().store)
      const id = randomId()
      await charge(demand(2), 2, start, id)
      await refund(id, 9_000, start)
      expect(await left(start)).toBe(10_000)
      expect(await charge(demand(11), 1, start)).toMatchObject({ admitted: 10 })
    })

    it("gives nothing back when it comes so late that everything is there again", async () => {
      const { charge, refund, left } = account(backend().store)
      const id = randomId()
      await charge(demand(8), 8, start, id)
      const later = start + 20_000
      await charge(demand(3), 3, later)
      await refund(id, 1_000, later + 1_000)
      expect(await left(later + 1_000)).toBeLessThanOrEqual(9_000)
      await refund(randomId(), 8_000, later + 30_000)
      expect(await left(later + 30_000)).toBe(10_000)
    })

    it("of a subject that nobody has heard of changes nothing", async () => {
      const { refund, left } = account(backend().store)
      await refund(randomId(), 5_000, start)
      expect(await left(start)).toBe(10_000)
    })
  })
}
