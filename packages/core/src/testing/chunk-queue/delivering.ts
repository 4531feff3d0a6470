/** What is delivered, when, and to whom. */
import { describe, expect, it } from "vitest"
import { type Circumstances, consume, gate, newRefs, sorted, wait } from "./Fixture.ts"

/** Declares the cases. */
export const delivering = ({ backend, promptMs, patienceMs }: Circumstances): void => {
  const timeout = 4 * promptMs + patienceMs
  const soon = { timeout: promptMs, interval: 10 }

  describe("a ref", () => {
    it(
      "is delivered that was sent before anybody consumed, or afterwards, by whichever client",
      { timeout },
      async () => {
        const { queue, other = queue } = backend()
        const refs = newRefs(4)
        await queue.enqueue([])
        await queue.enqueue(refs.slice(0, 2))
        const { consumer, delivered } = await consume(queue, refs, 2)
        await other.enqueue(refs.slice(2))
        await expect.poll(() => sorted(delivered), soon).toEqual(sorted(refs))
        await consumer.close(promptMs)
        expect(sorted(delivered)).toEqual(sorted(refs))
      },
    )

    it("is delivered once that was sent twice while it waited", { timeout }, async () => {
      const { queue, other = queue } = backend()
      const refs = newRefs(3)
      await queue.enqueue([...refs, ...refs])
      await Promise.all([queue.enqueue(refs), other.enqueue(refs), queue.enqueue(refs)])
      const { consumer, delivered } = await consume(queue, refs, 1)
      await expect.poll(() => delivered.length, soon).toBeGreaterThanOrEqual(3)
      await wait(300)
      await consumer.close(promptMs)
      expect(sorted(delivered)).toEqual(sorted(refs))
    })

    it("of another dispatch is another message", { timeout }, async () => {
      const { queue } = backend()
      const [ref] = newRefs(1)
      const refs = [0, 1, 2].map((dispatch) => ({ ...ref!, dispatch }))
      await queue.enqueue(refs.slice(0, 2))
      const { consumer, delivered } = await consume(queue, refs, 1)
      await expect.poll(() => delivered.length, soon).toBe(2)
      await queue.enqueue(refs.slice(2))
      await expect.poll(() => sorted(delivered), soon).toEqual(sorted(refs))
      await consumer.close(promptMs)
    })

    it("that is delayed is delivered after its time, not before", { timeout }, async () => {
      const { queue } = backend()
      const refs = newRefs(2)
      const deliveredAt = new Map<number, number>()
      const { consumer } = await consume(queue, refs, 2, async ({ ref }) => {
        deliveredAt.set(ref.chunk, performance.now())
      })
      const sentAt = performance.now()
      await queue.enqueue(refs.slice(0, 1), { delayMs: 1_200 })
      await queue.enqueue(refs.slice(1))
      await expect.poll(() => deliveredAt.size, { timeout: 1_200 + promptMs, interval: 10 }).toBe(2)
      await consumer.close(promptMs)
      expect(deliveredAt.get(0)! - sentAt).toBeGreaterThanOrEqual(1_190)
      expect(deliveredAt.get(1)!).toBeLessThan(deliveredAt.get(0)!)
    })

    it("comes roughly in the order in which it was sent", { timeout }, async () => {
      const { queue } = backend()
      const refs = newRefs(18)
      for (const from of [0, 6, 12]) {
        await queue.enqueue(refs.slice(from, from + 6))
        await wait(20)
      }
      const { consumer, delivered } = await consume(queue, refs, 1)
      await expect.poll(() => delivered.length, soon).toBe(18)
      await consumer.close(promptMs)
      const places = delivered.map(({ chunk }) => Math.floor(chunk / 6))
      expect(places.lastIndexOf(0)).toBeLessThan(places.indexOf(2))
    })

    it("that a handler sends is delivered in its turn, at once", { timeout: 2 * timeout }, async () => {
      const { queue } = backend()
      const refs = newRefs(20)
      const { consumer, delivered } = await consume(queue, refs, 1, ({ ref }) =>
        queue.enqueue(refs.slice(ref.chunk + 1, ref.chunk + 2)),
      )
      await queue.enqueue(refs.slice(0, 1))
      await expect
        .poll(() => delivered.map(({ chunk }) => chunk), { timeout: 2 * promptMs, interval: 10 })
        .toEqual(refs.map(({ chunk }) => chunk))
      await consumer.close(promptMs)
    })

    it("that was forgotten comes once at most, and others come as ever", { timeout }, async () => {
      const { queue } = backend()
      const refs = newRefs(6)
      await queue.enqueue(refs.slice(0, 4))
      await queue.enqueue(refs.slice(4), { delayMs: 200 })
      await queue.forget([...refs.slice(0, 2), ...refs.slice(4, 5), ...newRefs(2)])
      const { consumer, delivered } = await consume(queue, refs, 2)
      const kept = [2, 3, 5]
      const keptOnes = () => delivered.map(({ chunk }) => chunk).filter((chunk) => kept.includes(chunk))
      await expect.poll(() => keptOnes().sort(), soon).toEqual(kept)
      await wait(300)
      await consumer.close(promptMs)
      expect(new Set(sorted(delivered)).size).toBe(delivered.length)
    })
  })

  describe("consumers", () => {
    it("run as many refs at once as they may, and never more", { timeout }, async () => {
      const { queue } = backend()
      const refs = newRefs(12)
      let [now, most] = [0, 0]
      const { consumer, delivered } = await consume(queue, refs, 3, async () => {
        most = Math.max(most, ++now)
        await wait(60)
        now--
      })
      await queue.enqueue(refs)
      await expect.poll(() => delivered.length, soon).toBe(12)
      await consumer.close(promptMs)
      expect(most).toBe(3)
    })

    it("share the work, and no ref comes to two of them", { timeout }, async () => {
      const { queue, other = queue } = backend()
      const refs = newRefs(60)
      const one = await consume(queue, refs, 2, () => wait(15))
      const two = await consume(other, refs, 2, () => wait(15))
      await queue.enqueue(refs)
      const count = () => one.delivered.length + two.delivered.length
      await expect.poll(count, { timeout: 2 * promptMs, interval: 10 }).toBe(60)
      await wait(100)
      await Promise.all([one.consumer.close(promptMs), two.consumer.close(promptMs)])
      expect(sorted([...one.delivered, ...two.delivered])).toEqual(sorted(refs))
      expect(Math.min(one.delivered.length, two.delivered.length)).toBeGreaterThan(0)
    })

    it("do not keep a ref from each other that they cannot run now", { timeout }, async () => {
      const { queue, other = queue } = backend()
      const refs = newRefs(2)
      const { open, opened } = gate()
      const busy = await consume(queue, refs, 1, () => opened)
      await queue.enqueue(refs)
      await expect.poll(() => busy.delivered.length, { timeout: promptMs, interval: 10 }).toBe(1)
      await wait(500)
      const idle = await consume(other, refs, 1)
      await expect.poll(() => idle.delivered.length, { timeout: 2 * promptMs, interval: 20 }).toBe(1)
      open()
      await Promise.all([busy.consumer.close(promptMs), idle.consumer.close(promptMs)])
      expect(sorted([...busy.delivered, ...idle.delivered])).toEqual(sorted(refs))
    })

    it("take many refs", { timeout: 60_000 + timeout }, async () => {
      const { queue } = backend()
      const refs = newRefs(1_000)
      const { consumer, delivered } = await consume(queue, refs, 8)
      for (let from = 0; from < 1_000; from += 250) await queue.enqueue(refs.slice(from, from + 250))
      await expect.poll(() => delivered.length, { timeout: 60_000, interval: 20 }).toBe(1_000)
      await consumer.close(promptMs)
      expect(new Set(sorted(delivered)).size).toBe(1_000)
    })

    it("go on while one of their refs takes long", { timeout }, async () => {
      const { queue } = backend()
      const refs = newRefs(8)
      const { open, opened } = gate()
      const { consumer, delivered } = await consume(queue, refs, 2, ({ ref }) =>
        ref.chunk === 0 ? opened : Promise.resolve(),
      )
      await queue.enqueue(refs)
      await expect.poll(() => delivered.length, soon).toBe(8)
      open()
      await consumer.close(promptMs)
    })
  })
}
