/** Cases about transactions. */
import { describe, expect, it } from "vitest"
import type { Delivery } from "../../jobs/ChunkQueue.ts"
import { type Context, consume, newRefs, sorted, wait } from "./Fixture.ts"

/** Declares the cases. */
export const transactions = (context: Context, isTransactional: boolean): void => {
  const { backend, deliveryMs, redeliveryMs } = context
  const timeout = 4 * deliveryMs + 2 * redeliveryMs
  const prompt = { timeout: deliveryMs, interval: 10 }
  const rollback = new Error("rolled back on purpose")

  const inTransaction = async (commits: boolean, run: (transaction: unknown) => Promise<void>): Promise<void> => {
    const running = backend().transaction!(async (handle) => {
      await run(handle)
      if (!commits) throw rollback
    })
    if (commits) await running
    else await expect(running).rejects.toThrow(rollback.message)
  }

  describe("transactions", () => {
    it("are offered as declared", { timeout }, async () => {
      const { queue, transaction } = backend()
      expect(queue.isTransactional).toBe(isTransactional)
      expect(transaction !== undefined).toBe(isTransactional)
      const refs = newRefs(1)
      let complete: Delivery["complete"]
      const { consumer, delivered } = await consume(queue, refs, 1, async (delivery) => {
        ;({ complete } = delivery)
      })
      await queue.enqueue(refs)
      await expect.poll(() => delivered.length, prompt).toBe(1)
      expect(complete !== undefined).toBe(isTransactional)
      await consumer.close(deliveryMs)
    })

    if (!isTransactional) return

    it("enqueue refs when they commit, and not when they roll back", { timeout }, async () => {
      const { queue } = backend()
      const refs = newRefs(6)
      const { consumer, delivered } = await consume(queue, refs, 2)
      await inTransaction(false, (transaction) => queue.enqueue(refs.slice(0, 3), { transaction }))
      await inTransaction(true, async (transaction) => {
        await queue.enqueue(refs.slice(3), { transaction })
        await queue.enqueue(refs.slice(3), { transaction })
        await wait(300)
        expect(delivered).toEqual([])
      })
      await expect.poll(() => sorted(delivered), prompt).toEqual(sorted(refs.slice(3)))
      await wait(300)
      await consumer.close(deliveryMs)
      expect(sorted(delivered)).toEqual(sorted(refs.slice(3)))
    })

    it("that are rolled back do not prevent a ref from being enqueued again", { timeout }, async () => {
      const { queue } = backend()
      const refs = newRefs(1)
      await inTransaction(false, (transaction) => queue.enqueue(refs, { transaction }))
      await queue.enqueue(refs)
      const { consumer, delivered } = await consume(queue, refs, 1)
      await expect.poll(() => delivered, prompt).toEqual(refs)
      await consumer.close(deliveryMs)
    })

    it("complete a delivery when they commit, even if its handler rejects", { timeout }, async () => {
      const { queue } = backend()
      const refs = newRefs(2)
      const { consumer, delivered, dead } = await consume(queue, refs, 1, async ({ complete, ref }) => {
        await inTransaction(true, (transaction) => complete!(transaction))
        if (ref.chunk === 0) throw rollback
      })
      await queue.enqueue(refs)
      await expect.poll(() => delivered.length, prompt).toBe(2)
      await wait(2_000)
      await consumer.close(deliveryMs)
      expect(sorted(delivered)).toEqual(sorted(refs))
      expect(dead).toEqual([])
    })

    it("that are rolled back leave a ref to be redelivered", { timeout }, async () => {
      const { queue } = backend()
      const refs = newRefs(1)
      let deliveries = 0
      const { consumer, delivered } = await consume(queue, refs, 1, async ({ complete }) => {
        const isFirst = deliveries++ === 0
        await inTransaction(!isFirst, (transaction) => complete!(transaction))
        if (isFirst) throw rollback
      })
      await queue.enqueue(refs)
      await expect.poll(() => delivered.length, { timeout: redeliveryMs, interval: 20 }).toBe(2)
      await wait(500)
      await consumer.close(deliveryMs)
      expect(delivered).toHaveLength(2)
    })
  })
}
