/**
 * What a queue of chunks owes, as tests: the contract of the port `ChunkQueue`. Needs vitest.
 *
 * **Example** (A queue of one's own)
 * ```ts
 * import { ChunkQueueContract } from "@multistatus/core/testing"
 *
 * ChunkQueueContract.suite("mine", async () => ({ queue: await open(), close }), { patienceMs: 30_000 })
 * ```
 *
 * @since 0.1.0
 */
import { afterEach, describe, expect, it } from "vitest"
import type { ChunkRef } from "../domain/Job.ts"
import { randomId } from "../domain/randomId.ts"
import type { ChunkConsumer, ChunkQueue, Delivery } from "../ports/ChunkQueue.ts"

/** A queue in which nothing waits. @category models @since 0.1.0 */
export interface Backend {
  readonly queue: ChunkQueue
  readonly close?: (() => Promise<unknown>) | undefined
  /** Runs work in a transaction that is rolled back if it rejects; where the queue takes part in transactions. */
  readonly transaction?: (<A>(work: (handle: unknown) => Promise<A>) => Promise<A>) | undefined
}

/** How a queue is put to the test. @category models @since 0.1.0 */
export interface SuiteOptions {
  /** Milliseconds within which a ref is delivered, and those that are rejected are given up. Default 10,000. */
  readonly patienceMs?: number | undefined
}

/** Declares the tests of a queue. @category testing @since 0.1.0 */
export const suite = (
  name: string,
  make: () => Backend | Promise<Backend>,
  { patienceMs = 10_000 }: SuiteOptions = {},
): void => {
  describe(`ChunkQueue (${name})`, { timeout: patienceMs + 20_000 }, () => {
    const closing: Array<() => Promise<unknown> | undefined> = []
    afterEach(async () => {
      for (const close of closing.splice(0).toReversed()) await close()
    })

    const open = async () => {
      const { queue, close, transaction } = await make()
      closing.push(
        () => close?.(),
        () => queue.close(),
      )
      const job = randomId()
      const ref = (chunk: number, dispatch = 0): ChunkRef => ({ job, chunk, dispatch })
      const seen: Array<ChunkRef> = []
      const dead: Array<ChunkRef> = []
      const consume = async (run: (delivery: Delivery) => Promise<void>, concurrency = 2): Promise<ChunkConsumer> => {
        const handlers = {
          run: async (delivery: Delivery) => {
            seen.push(delivery.ref)
            await run(delivery)
          },
          dead: async (given: ChunkRef) => void dead.push(given),
        }
        const consumer = await queue.consume(handlers, concurrency)
        closing.push(() => consumer.close(0))
        return consumer
      }
      const until = (count: number) => expect.poll(() => seen.length, { timeout: patienceMs }).toBe(count)
      return { queue, transaction, ref, seen, dead, consume, until }
    }

    it("delivers what was sent, before and after it is consumed", async () => {
      const { queue, ref, seen, consume, until } = await open()
      await queue.enqueue([ref(0), ref(1)])
      await consume(async () => {})
      await until(2)
      await queue.enqueue([ref(2)])
      await until(3)
      expect(seen.map(({ chunk }) => chunk).toSorted()).toEqual([0, 1, 2])
    })

    it("delivers a ref once that was sent twice while it waited, and another dispatch of it too", async () => {
      const { queue, ref, seen, consume, until } = await open()
      await queue.enqueue([ref(0)], { delayMs: 1000 })
      await queue.enqueue([ref(0)])
      await queue.enqueue([ref(0), ref(0, 1)])
      await consume(async () => {})
      await until(2)
      await pause(1500)
      expect(seen.map(({ dispatch }) => dispatch).toSorted()).toEqual([0, 1])
    })

    it("keeps what is to come later", async () => {
      const { queue, ref, seen, consume, until } = await open()
      await consume(async () => {})
      await queue.enqueue([ref(0)], { delayMs: 2000 })
      await pause(700)
      expect(seen).toHaveLength(0)
      await until(1)
    })

    it("runs so many at once and no more", async () => {
      const { queue, ref, consume, until } = await open()
      let running = 0
      let most = 0
      await consume(async () => {
        most = Math.max(most, ++running)
        await pause(100)
        running--
      }, 3)
      await queue.enqueue(Array.from({ length: 9 }, (_, chunk) => ref(chunk)))
      await until(9)
      expect(most).toBe(3)
    })

    it("delivers again what was rejected, and says when it has given up", async () => {
      const { queue, ref, seen, dead, consume } = await open()
      await consume(async ({ ref: { chunk } }) => {
        if (chunk === 0) throw new Error("no")
      })
      await queue.enqueue([ref(0), ref(1)])
      await expect.poll(() => dead, { timeout: patienceMs, interval: 100 }).toEqual([ref(0)])
      expect(seen.filter(({ chunk }) => chunk === 0).length).toBeGreaterThan(1)
      expect(seen.filter(({ chunk }) => chunk === 1)).toHaveLength(1)
    })

    it("shares its refs among all who consume it", async () => {
      const { queue, ref, seen, consume, until } = await open()
      await consume(() => pause(20))
      await consume(() => pause(20))
      await queue.enqueue(Array.from({ length: 20 }, (_, chunk) => ref(chunk)))
      await until(20)
      await pause(300)
      expect(new Set(seen.map(({ chunk }) => chunk)).size).toBe(20)
      expect(seen).toHaveLength(20)
    })

    it("waits for what runs when a consumer is closed, and gives it no more", async () => {
      const { queue, ref, seen, consume, until } = await open()
      let ended = 0
      const consumer = await consume(async () => {
        await pause(600)
        ended++
      }, 1)
      await queue.enqueue([ref(0), ref(1)])
      await until(1)
      await consumer.close(10_000)
      expect([ended, seen.length]).toEqual([1, 1])
    })

    it("tells handlers to stop that take longer than they may", async () => {
      const { queue, ref, consume, until } = await open()
      let told = false
      const consumer = await consume(
        ({ signal }) =>
          new Promise((resolve) => {
            signal.addEventListener("abort", () => {
              told = true
              resolve()
            })
          }),
      )
      await queue.enqueue([ref(0)])
      await until(1)
      await consumer.close(100)
      expect(told).toBe(true)
    })

    it("takes part in transactions, where it says that it does", async () => {
      const { queue, transaction, ref, seen, consume, until } = await open()
      expect(transaction !== undefined).toBe(queue.isTransactional)
      if (transaction === undefined) return
      const failing = transaction(async (handle) => {
        await queue.enqueue([ref(0)], { transaction: handle })
        throw new Error("rolled back")
      })
      await expect(failing).rejects.toThrow("rolled back")
      await transaction((handle) => queue.enqueue([ref(1)], { transaction: handle }))
      await consume(({ complete }) => transaction(async (handle) => complete!(handle)))
      await until(1)
      expect(seen).toEqual([ref(1)])
    })

    it("may be asked to forget", async () => {
      const { queue, ref } = await open()
      await queue.enqueue([ref(0)], { delayMs: 60_000 })
      await queue.forget([ref(0), ref(1)])
    })
  })
}

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds))
