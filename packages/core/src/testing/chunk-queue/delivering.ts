/** Cases about the delivery of refs. */
import { describe, expect, it } from "vitest"
import { type Context, consume, gate, newRefs, sorted, wait } from "./Fixture.ts"

/** Declares the cases. */
export const delivering = ({ backend, deliveryMs, redeliveryMs }: Context): void => {
  const timeout = 4 * deliveryMs + redeliveryMs
  const prompt = { timeout: deliveryMs, interval: 10 }

  describe("a ref", () => {
    it("is delivered whether it was enqueued before or after the consumer started", { timeout }, async () => {
      const { queue, other = queue } = backend()
      const refs = newRefs(4)
      await queue.enqueue([])
      await queue.enqueue(refs.slice(0, 2))
      const { consumer, delivered } = await consume(queue, refs, 2)
      await other.enqueue(refs.slice(2))
      await expect.poll(() => sorted(delivered), prompt).toEqual(sorted(refs))
      await consumer.close(deliveryMs)
      expect(sorted(delivered)).toEqual(sorted(refs))
    })

    it("is delivered once if it was enqueued twice while it waited", { timeout }, async () => {
      const { queue, other = queue } = backend()
      const refs = newRefs(3)
      await queue.enqueue([...refs, ...refs])
      await Promise.all([queue.enqueue(refs), other.enqueue(refs), queue.enqueue(refs)])
      const { consumer, delivered } = await consume(queue, refs, 1)
      await expect.poll(() => delivered.length, prompt).toBeGreaterThanOrEqual(3)
      await wait(300)
      await consumer.close(deliveryMs)
      expect(sorted(delivered)).toEqual(sorted(refs))
    })

    it("with another dispatch is another message", { timeout }, async () => {
      const { queue } = backend()
      const [ref] = newRefs(1)
      const refs = [0, 1, 2].map((dispatch) => ({ ...ref!, dispatch }))
      await queue.enqueue(refs.slice(0, 2))
      const { consumer, delivered } = await consume(queue, refs, 1)
      await expect.poll(() => delivered.length, prompt).toBe(2)
      await queue.enqueue(refs.slice(2))
      await expect.poll(() => sorted(delivered), prompt).toEqual(sorted(refs))
      await consumer.close(deliveryMs)
    })

    it("with a delay is not delivered early", { timeout }, async () => {
      const { queue } = backend()
      const refs = newRefs(2)
      const deliveredAt = new Map<number, number>()
      const { consumer } = await consume(queue, refs, 2, async ({ ref }) => {
        deliveredAt.set(ref.chunk, performance.now())
      })
      const enqueuedAt = performance.now()
      await queue.enqueue(refs.slice(0, 1), { delayMs: 1_200 })
      await queue.enqueue(refs.slice(1))
      await expect.poll(() => deliveredAt.size, { timeout: 1_200 + deliveryMs, interval: 10 }).toBe(2)
      await consumer.close(deliveryMs)
      expect(deliveredAt.get(0)! - enqueuedAt).toBeGreaterThanOrEqual(1_190)
      expect(deliveredAt.get(1)!).toBeLessThan(deliveredAt.get(0)!)
    })

    it("is delivered roughly in the order of enqueuing", { timeout }, async () => {
      const { queue } = backend()
      const refs = newRefs(18)
      for (const from of [0, 6, 12]) {
        await queue.enqueue(refs.slice(from, from + 6))
        await wait(20)
      }
      const { consumer, delivered } = await consume(queue, refs, 1)
      await expect.poll(() => delivered.length, prompt).toBe(18)
      await consumer.close(deliveryMs)
      const places = delivered.map(({ chunk }) => Math.floor(chunk / 6))
      expect(places.lastIndexOf(0)).toBeLessThan(places.indexOf(2))
    })

    it("that a handler enqueues is delivered at once", { timeout: 2 * timeout }, async () => {
      const { queue } = backend()
      const refs = newRefs(20)
      const { consumer, delivered } = await consume(queue, refs, 1, ({ ref }) =>
        queue.enqueue(refs.slice(ref.chunk + 1, ref.chunk + 2)),
      )
      await queue.enqueue(refs.slice(0, 1))
      await expect
        .poll(() => delivered.map(({ chunk }) => chunk), { timeout: 2 * deliveryMs, interval: 10 })
        .toEqual(refs.map(({ chunk }) => chunk))
      await consumer.close(deliveryMs)
    })

    it("that was forgotten is delivered at most once, and others are delivered", { timeout }, async () => {
      const { queue } = backend()
      const refs = newRefs(6)
      await queue.enqueue(refs.slice(0, 4))
      await queue.enqueue(refs.slice(4), { delayMs: 200 })
      await queue.forget([...refs.slice(0, 2), ...refs.slice(4, 5), ...newRefs(2)])
      const { consumer, delivered } = await consume(queue, refs, 2)
      const remaining = [2, 3, 5]
      const found = () => delivered.map(({ chunk }) => chunk).filter((chunk) => remaining.includes(chunk))
      await expect.poll(() => found().sort(), prompt).toEqual(remaining)
      await wait(300)
      await consumer.close(deliveryMs)
      expect(new Set(sorted(delivered)).size).toBe(delivered.length)
    })
  })

  describe("consumers", () => {
    it("run refs concurrently up to their concurrency", { timeout }, async () => {
      const { queue } = backend()
      const refs = newRefs(12)
      let [running, maxRunning] = [0, 0]
      const { consumer, delivered } = await consume(queue, refs, 3, async () => {
        maxRunning = Math.max(maxRunning, ++running)
        await wait(60)
        running--
      })
      await queue.enqueue(refs)
      await expect.poll(() => delivered.length, prompt).toBe(12)
      await consumer.close(deliveryMs)
      expect(maxRunning).toBe(3)
    })

    it("share the refs, and each ref is delivered to one of them", { timeout }, async () => {
      const { queue, other = queue } = backend()
      const refs = newRefs(60)
      const one = await consume(queue, refs, 2, () => wait(15))
      const two = await consume(other, refs, 2, () => wait(15))
      await queue.enqueue(refs)
      const count = () => one.delivered.length + two.delivered.length
      await expect.poll(count, { timeout: 2 * deliveryMs, interval: 10 }).toBe(60)
      await wait(100)
      await Promise.all([one.consumer.close(deliveryMs), two.consumer.close(deliveryMs)])
      expect(sorted([...one.delivered, ...two.delivered])).toEqual(sorted(refs))
      expect(Math.min(one.delivered.length, two.delivered.length)).toBeGreaterThan(0)
    })

    it("leave a ref that they cannot run now to each other", { timeout }, async () => {
      const { queue, other = queue } = backend()
      const refs = newRefs(2)
      const { open, opened } = gate()
      const busy = await consume(queue, refs, 1, () => opened)
      await queue.enqueue(refs)
      await expect.poll(() => busy.delivered.length, { timeout: deliveryMs, interval: 10 }).toBe(1)
      await wait(500)
      const idle = await consume(other, refs, 1)
      await expect.poll(() => idle.delivered.length, { timeout: 2 * deliveryMs, interval: 20 }).toBe(1)
      open()
      await Promise.all([busy.consumer.close(deliveryMs), idle.consumer.close(deliveryMs)])
      expect(sorted([...busy.delivered, ...idle.delivered])).toEqual(sorted(refs))
    })

    it("handle many refs", { timeout: 60_000 + timeout }, async () => {
      const { queue } = backend()
      const refs = newRefs(1_000)
      const { consumer, delivered } = await consume(queue, refs, 8)
      for (let from = 0; from < 1_000; from += 250) await queue.enqueue(refs.slice(from, from + 250))
      await expect.poll(() => delivered.length, { timeout: 60_000, interval: 20 }).toBe(1_000)
      await consumer.close(deliveryMs)
      expect(new Set(sorted(delivered)).size).toBe(1_000)
    })

    it("continue while one handler takes long", { timeout }, async () => {
      const { queue } = backend()
      const refs = newRefs(8)
      const { open, opened } = gate()
      const { consumer, delivered } = await consume(queue, refs, 2, ({ ref }) =>
        ref.chunk === 0 ? opened : Promise.resolve(),
      )
      await queue.enqueue(refs)
      await expect.poll(() => delivered.length, prompt).toBe(8)
      open()
      await consumer.close(deliveryMs)
    })
  })
}
