/** Transactions: what is sent or done in them is so when they commit, and only then. */
import { describe, expect, it } from "vitest"
import type { Delivery } from "../../jobs/ChunkQueue.ts"
import { type Circumstances, consume, newRefs, sorted, wait } from "./Fixture.ts"

/** Declares the cases. */
export const transactions = (circumstances: Circumstances, transactional: boolean): void => {
  const { backend, promptMs, patienceMs } = circumstances
  const timeout = 4 * promptMs + 2 * patienceMs
  const soon = { timeout: promptMs, interval: 10 }
  const undone = new Error("undone on purpose")

  /** Runs in a transaction, which is kept or undone. */
  const within = async (keeps: boolean, run: (transaction: unknown) => Promise<void>): Promise<void> => {
    const running = backend().transaction!(async (handle) => {
      await run(handle)
      if (!keeps) throw undone
    })
    if (keeps) await running
    else await expect(running).rejects.toThrow(undone.message)
  }

  describe("transactions", () => {
    it("are offered as the queue says", { timeout }, async () => {
      const { queue, transaction } = backend()
      expect(queue.isTransactional).toBe(transactional)
      expect(transaction !== undefined).toBe(transactional)
      const refs = newRefs(1)
      let complete: Delivery["complete"]
      const { consumer, delivered } = await consume(queue, refs, 1, async (delivery) => {
        ;({ complete } = delivery)
      })
      await queue.enqueue(refs)
      await expect.poll(() => delivered.length, soon).toBe(1)
      expect(complete !== undefined).toBe(transactional)
      await consumer.close(promptMs)
    })

    if (!transactional) return

    it("send refs when they commit", { timeout }, async () => {
      const { queue } = backend()
      const refs = newRefs(6)
      const { consumer, delivered } = await consume(queue, refs, 2)
      await within(false, (transaction) => queue.enqueue(refs.slice(0, 3), { transaction }))
      await within(true, async (transaction) => {
        await queue.enqueue(refs.slice(3), { transaction })
        await queue.enqueue(refs.slice(3), { transaction })
        await wait(300)
        expect(delivered).toEqual([])
      })
      await expect.poll(() => sorted(delivered), soon).toEqual(sorted(refs.slice(3)))
      await wait(300)
      await consumer.close(promptMs)
      expect(sorted(delivered)).toEqual(sorted(refs.slice(3)))
    })

    it("that were undone leave a ref to be sent again", { timeout }, async () => {
      const { queue } = backend()
      const refs = newRefs(1)
      await within(false, (transaction) => queue.enqueue(refs, { transaction }))
      await queue.enqueue(refs)
      const { consumer, delivered } = await consume(queue, refs, 1)
      await expect.poll(() => delivered, soon).toEqual(refs)
      await consumer.close(promptMs)
    })

    it("mark a delivery as done when they commit, whatever its handler answers", { timeout }, async () => {
      const { queue } = backend()
      const refs = newRefs(2)
      const { consumer, delivered, dead } = await consume(queue, refs, 1, async ({ complete, ref }) => {
        await within(true, (transaction) => complete!(transaction))
        if (ref.chunk === 0) throw undone
      })
      await queue.enqueue(refs)
      await expect.poll(() => delivered.length, soon).toBe(2)
      await wait(2_000)
      await consumer.close(promptMs)
      expect(sorted(delivered)).toEqual(sorted(refs))
      expect(dead).toEqual([])
    })

    it("that were undone leave a delivery to be made again", { timeout }, async () => {
      const { queue } = backend()
      const refs = newRefs(1)
      let keeps = false
      const { consumer, delivered } = await consume(queue, refs, 1, async ({ complete }) => {
        const kept = keeps
        keeps = true
        await within(kept, (transaction) => complete!(transaction))
        if (!kept) throw undone
      })
      await queue.enqueue(refs)
      await expect.poll(() => delivered.length, { timeout: patienceMs, interval: 20 }).toBe(2)
      await wait(500)
      await consumer.close(promptMs)
      expect(delivered).toHaveLength(2)
    })
  })
}
