/** What becomes of refs whose handlers reject, and of those of consumers that close. */
import { describe, expect, it } from "vitest"
import { type Circumstances, consume, gate, newRefs, sorted, wait } from "./Fixture.ts"

/** Declares the cases. */
export const failing = ({ backend, promptMs, patienceMs }: Circumstances): void => {
  const timeout = 4 * promptMs + 3 * patienceMs
  const soon = { timeout: promptMs, interval: 10 }
  const patient = { timeout: patienceMs, interval: 20 }
  const broken = () => Promise.reject(new Error("broken on purpose"))

  describe("a ref whose handler rejects", () => {
    it("is delivered again, and no more once it resolves", { timeout }, async () => {
      const { queue } = backend()
      const refs = newRefs(2)
      let rejections = 0
      const { consumer, delivered, dead } = await consume(queue, refs, 1, async ({ ref }) => {
        if (ref.chunk === 0 && rejections++ === 0) await broken()
      })
      await queue.enqueue(refs)
      await expect.poll(() => delivered.length, patient).toBe(3)
      await wait(500)
      await consumer.close(promptMs)
      expect(sorted(delivered)).toEqual(sorted([refs[0]!, ...refs]))
      expect(dead).toEqual([])
    })

    it("does not keep others waiting", { timeout }, async () => {
      const { queue } = backend()
      const refs = newRefs(10)
      const { consumer, delivered } = await consume(queue, refs, 1, async ({ ref }) => {
        if (ref.chunk === 0) await broken()
      })
      await queue.enqueue(refs)
      const others = () => delivered.filter(({ chunk }) => chunk !== 0).length
      await expect.poll(others, soon).toBe(9)
      await queue.forget(refs)
      await consumer.close(promptMs)
    })

    it("is given up after so many times, which is told once, and is delivered no more", { timeout }, async () => {
      const { queue } = backend()
      const refs = newRefs(2)
      const { consumer, delivered, dead } = await consume(queue, refs, 2, async ({ ref }) => {
        if (ref.chunk === 0) await broken()
      })
      await queue.enqueue(refs)
      await expect.poll(() => dead, patient).toEqual([refs[0]])
      const before = delivered.length
      expect(before).toBeGreaterThanOrEqual(3)
      await wait(1_000)
      await consumer.close(promptMs)
      expect(delivered).toHaveLength(before)
      expect(dead).toHaveLength(1)
    })

    it("that was given up does not stand in the way of its next dispatch", { timeout }, async () => {
      const { queue } = backend()
      const [ref] = newRefs(1)
      const next = { ...ref!, dispatch: 1 }
      const { consumer, delivered, dead } = await consume(queue, [ref!], 1, async ({ ref: { dispatch } }) => {
        if (dispatch === 0) await broken()
      })
      await queue.enqueue([ref!])
      await expect.poll(() => dead, patient).toEqual([ref])
      await queue.enqueue([next])
      await expect.poll(() => sorted(delivered).includes(sorted([next])[0]!), soon).toBe(true)
      await consumer.close(promptMs)
    })

    it("does no harm where nobody takes the news", { timeout }, async () => {
      const { queue } = backend()
      const refs = newRefs(2)
      const { job } = refs[0]!
      let [told, delivered] = [0, 0]
      const consumer = await queue.consume(
        {
          run: async ({ ref }) => {
            if (ref.job !== job) return
            if (ref.chunk === 0) await broken()
            delivered++
          },
          dead: async (ref) => {
            if (ref.job === job) told++
            await broken()
          },
        },
        1,
      )
      await queue.enqueue(refs.slice(0, 1))
      await expect.poll(() => told, patient).toBeGreaterThanOrEqual(1)
      await queue.enqueue(refs.slice(1))
      await expect.poll(() => delivered, soon).toBe(1)
      await consumer.close(promptMs)
    })
  })

  describe("a consumer that closes", () => {
    it("waits for what runs, which is not told to stop, and takes nothing more", { timeout }, async () => {
      const { queue } = backend()
      const refs = newRefs(5)
      const { open, opened } = gate()
      let [ended, stopped] = [0, 0]
      const { consumer, delivered } = await consume(queue, refs, 2, async ({ signal }) => {
        await opened
        ended++
        if (signal.aborted) stopped++
      })
      await queue.enqueue(refs)
      await expect.poll(() => delivered.length, soon).toBe(2)
      const closing = consumer.close(4 * promptMs).then(() => ended)
      await wait(200)
      open()
      expect(await closing).toBe(2)
      await wait(200)
      expect([delivered.length, stopped]).toEqual([2, 0])
      const next = await consume(queue, refs, 2)
      await expect.poll(() => next.delivered.length, soon).toBe(3)
      await next.consumer.close(promptMs)
      expect(sorted([...delivered, ...next.delivered])).toEqual(sorted(refs))
    })

    it("tells what runs to stop when its time is over, and waits a moment more", { timeout }, async () => {
      const { queue } = backend()
      const refs = newRefs(1)
      const told: Array<string> = []
      const { consumer, delivered } = await consume(
        queue,
        refs,
        1,
        ({ signal }) =>
          new Promise((resolve) => {
            signal.addEventListener("abort", () => {
              told.push("stop")
              setTimeout(() => {
                told.push("stopped")
                resolve()
              }, 100)
            })
          }),
      )
      await queue.enqueue(refs)
      await expect.poll(() => delivered.length, soon).toBe(1)
      const closedAt = performance.now()
      await consumer.close(300)
      expect(told).toEqual(["stop", "stopped"])
      expect(performance.now() - closedAt).toBeGreaterThanOrEqual(295)
    })

    it("does not wait for ever, and what it leaves behind is delivered to another", { timeout }, async () => {
      const { queue, other = queue } = backend()
      const refs = newRefs(1)
      const { open, opened } = gate()
      const { consumer, delivered } = await consume(queue, refs, 1, () => opened)
      await queue.enqueue(refs)
      await expect.poll(() => delivered.length, soon).toBe(1)
      const closedAt = performance.now()
      await consumer.close(100)
      expect(performance.now() - closedAt).toBeLessThan(promptMs + 5_000)
      const next = await consume(other, refs, 1)
      await expect.poll(() => next.delivered, patient).toEqual(refs)
      expect(next.dead).toEqual([])
      open()
      await next.consumer.close(promptMs)
    })

    it("has nothing to wait for when nothing runs", { timeout }, async () => {
      const { queue } = backend()
      const { consumer } = await consume(queue, newRefs(1), 4)
      const closedAt = performance.now()
      await consumer.close(60_000)
      expect(performance.now() - closedAt).toBeLessThan(promptMs)
    })
  })
}
