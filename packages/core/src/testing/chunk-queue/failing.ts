/** Cases about handlers that reject, and about consumers that close. */
import { describe, expect, it } from "vitest"
import { type Context, consume, gate, newRefs, sorted, wait } from "./Fixture.ts"

/** Declares the cases. */
export const failing = ({ backend, deliveryMs, redeliveryMs }: Context): void => {
  const timeout = 4 * deliveryMs + 3 * redeliveryMs
  const prompt = { timeout: deliveryMs, interval: 10 }
  const patient = { timeout: redeliveryMs, interval: 20 }
  const reject = () => Promise.reject(new Error("rejected on purpose"))

  describe("a ref whose handler rejects", () => {
    it("is redelivered until the handler resolves", { timeout }, async () => {
      const { queue } = backend()
      const refs = newRefs(2)
      let rejections = 0
      const { consumer, delivered, dead } = await consume(queue, refs, 1, async ({ ref }) => {
        if (ref.chunk === 0 && rejections++ === 0) await reject()
      })
      await queue.enqueue(refs)
      await expect.poll(() => delivered.length, patient).toBe(3)
      await wait(500)
      await consumer.close(deliveryMs)
      expect(sorted(delivered)).toEqual(sorted([refs[0]!, ...refs]))
      expect(dead).toEqual([])
    })

    it("does not delay other refs", { timeout }, async () => {
      const { queue } = backend()
      const refs = newRefs(10)
      const { consumer, delivered } = await consume(queue, refs, 1, async ({ ref }) => {
        if (ref.chunk === 0) await reject()
      })
      await queue.enqueue(refs)
      const others = () => delivered.filter(({ chunk }) => chunk !== 0).length
      await expect.poll(others, prompt).toBe(9)
      await queue.forget(refs)
      await consumer.close(deliveryMs)
    })

    it(
      "is given up after some deliveries: `dead` is called once, and it is not delivered again",
      { timeout },
      async () => {
        const { queue } = backend()
        const refs = newRefs(2)
        const { consumer, delivered, dead } = await consume(queue, refs, 2, async ({ ref }) => {
          if (ref.chunk === 0) await reject()
        })
        await queue.enqueue(refs)
        await expect.poll(() => dead, patient).toEqual([refs[0]])
        const before = delivered.length
        expect(before).toBeGreaterThanOrEqual(3)
        await wait(1_000)
        await consumer.close(deliveryMs)
        expect(delivered).toHaveLength(before)
        expect(dead).toHaveLength(1)
      },
    )

    it("that was given up does not prevent its next dispatch", { timeout }, async () => {
      const { queue } = backend()
      const [ref] = newRefs(1)
      const next = { ...ref!, dispatch: 1 }
      const { consumer, delivered, dead } = await consume(queue, [ref!], 1, async ({ ref: { dispatch } }) => {
        if (dispatch === 0) await reject()
      })
      await queue.enqueue([ref!])
      await expect.poll(() => dead, patient).toEqual([ref])
      await queue.enqueue([next])
      await expect.poll(() => sorted(delivered).includes(sorted([next])[0]!), prompt).toBe(true)
      await consumer.close(deliveryMs)
    })

    it("does no harm if `dead` rejects", { timeout }, async () => {
      const { queue } = backend()
      const refs = newRefs(2)
      const { job } = refs[0]!
      let [deadCalls, delivered] = [0, 0]
      const consumer = await queue.consume(
        {
          run: async ({ ref }) => {
            if (ref.job !== job) return
            if (ref.chunk === 0) await reject()
            delivered++
          },
          dead: async (ref) => {
            if (ref.job === job) deadCalls++
            await reject()
          },
        },
        1,
      )
      await queue.enqueue(refs.slice(0, 1))
      await expect.poll(() => deadCalls, patient).toBeGreaterThanOrEqual(1)
      await queue.enqueue(refs.slice(1))
      await expect.poll(() => delivered, prompt).toBe(1)
      await consumer.close(deliveryMs)
    })
  })

  describe("a consumer that closes", () => {
    it("waits for running handlers without aborting them, and takes no more refs", { timeout }, async () => {
      const { queue } = backend()
      const refs = newRefs(5)
      const { open, opened } = gate()
      let [ended, aborted] = [0, 0]
      const { consumer, delivered } = await consume(queue, refs, 2, async ({ signal }) => {
        await opened
        ended++
        if (signal.aborted) aborted++
      })
      await queue.enqueue(refs)
      await expect.poll(() => delivered.length, prompt).toBe(2)
      const closing = consumer.close(4 * deliveryMs).then(() => ended)
      await wait(200)
      open()
      expect(await closing).toBe(2)
      await wait(200)
      expect({ delivered: delivered.length, aborted }).toEqual({ delivered: 2, aborted: 0 })
      const next = await consume(queue, refs, 2)
      await expect.poll(() => next.delivered.length, prompt).toBe(3)
      await next.consumer.close(deliveryMs)
      expect(sorted([...delivered, ...next.delivered])).toEqual(sorted(refs))
    })

    it("aborts running handlers after its timeout, and waits a moment more", { timeout }, async () => {
      const { queue } = backend()
      const refs = newRefs(1)
      const steps: Array<string> = []
      const { consumer, delivered } = await consume(
        queue,
        refs,
        1,
        ({ signal }) =>
          new Promise((resolve) => {
            signal.addEventListener("abort", () => {
              steps.push("aborted")
              setTimeout(() => {
                steps.push("ended")
                resolve()
              }, 100)
            })
          }),
      )
      await queue.enqueue(refs)
      await expect.poll(() => delivered.length, prompt).toBe(1)
      const closedAt = performance.now()
      await consumer.close(300)
      expect(steps).toEqual(["aborted", "ended"])
      expect(performance.now() - closedAt).toBeGreaterThanOrEqual(295)
    })

    it("does not wait forever, and refs that have not ended are redelivered to another", { timeout }, async () => {
      const { queue, other = queue } = backend()
      const refs = newRefs(1)
      const { open, opened } = gate()
      const { consumer, delivered } = await consume(queue, refs, 1, () => opened)
      await queue.enqueue(refs)
      await expect.poll(() => delivered.length, prompt).toBe(1)
      const closedAt = performance.now()
      await consumer.close(100)
      expect(performance.now() - closedAt).toBeLessThan(deliveryMs + 5_000)
      const next = await consume(other, refs, 1)
      await expect.poll(() => next.delivered, patient).toEqual(refs)
      expect(next.dead).toEqual([])
      open()
      await next.consumer.close(deliveryMs)
    })

    it("closes at once if nothing runs", { timeout }, async () => {
      const { queue } = backend()
      const { consumer } = await consume(queue, newRefs(1), 4)
      const closedAt = performance.now()
      await consumer.close(60_000)
      expect(performance.now() - closedAt).toBeLessThan(deliveryMs)
    })
  })
}
