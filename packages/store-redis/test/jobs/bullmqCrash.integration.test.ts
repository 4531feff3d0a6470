import { freshDatabase } from "@multistatus/test-services"
import { describe, expect, inject, it, vi } from "vitest"
import { bullmqQueue } from "../../src/jobs/bullmqQueue.ts"
import { recorder, refOf, swift } from "../support/queues.ts"
import { startWorker } from "../support/workerProcess.ts"

const options = { lockDuration: 600, stalledInterval: 300, onError: () => {} }

describe("a queue on BullMQ whose workers die", () => {
  it("redelivers the refs of a killed worker to another one", async () => {
    const url = await freshDatabase(inject("redisUrl"))
    const queue = bullmqQueue(url, { ...swift, ...options })
    const { handlers, delivered, dead } = recorder()
    await queue.enqueue([0, 1, 2, 3].map((chunk) => refOf(chunk)))
    {
      await using worker = startWorker(url, options, "hold")
      await vi.waitUntil(() => worker.lines().length === 3, 20_000)
      expect(worker.lines().sort()).toEqual(["0", "1", "ready"])
      await worker.kill("SIGKILL")
    }
    const consumer = await queue.consume(handlers, 1)
    await vi.waitUntil(() => delivered.length === 4, 10_000)
    expect(delivered.map(({ chunk }) => chunk).sort()).toEqual([0, 1, 2, 3])
    expect(dead).toEqual([])
    await consumer.close(1_000)
    await queue.close()
  })

  it("gives up a ref that has killed four workers, and delivers the others", { timeout: 60_000 }, async () => {
    const url = await freshDatabase(inject("redisUrl"))
    const queue = bullmqQueue(url, { ...swift, ...options })
    await queue.enqueue([refOf(7)])
    let deaths = 0
    for (; deaths < 4; deaths++) {
      await using worker = startWorker(url, options, "die")
      await vi.waitUntil(() => worker.hasExited(), 20_000)
      expect(worker.lines()).toContain("7")
    }
    const { handlers, delivered, dead } = recorder()
    const consumer = await queue.consume(handlers, 1)
    await queue.enqueue([refOf(8)])
    await vi.waitUntil(() => dead.length === 1 && delivered.length === 1, 10_000)
    expect(dead).toEqual([refOf(7)])
    expect(delivered).toEqual([refOf(8)])
    await consumer.close(1_000)
    await queue.close()
  })

  it("aborts the chunk of a worker that was suspended for too long", { timeout: 60_000 }, async () => {
    const url = await freshDatabase(inject("redisUrl"))
    const queue = bullmqQueue(url, { ...swift, ...options })
    await queue.enqueue([refOf(0)])
    await using zombie = startWorker(url, options, "hold")
    await vi.waitUntil(() => zombie.lines().includes("0"), 20_000)
    await zombie.kill("SIGSTOP")
    const handlerEnd = Promise.withResolvers<void>()
    const { handlers, delivered } = recorder(() => handlerEnd.promise)
    const consumer = await queue.consume(handlers, 1)
    await vi.waitUntil(() => delivered.length === 1, 10_000)
    await zombie.kill("SIGCONT")
    await vi.waitUntil(() => zombie.lines().includes("aborted 0"), 10_000)
    handlerEnd.resolve()
    await consumer.close(1_000)
    expect(delivered).toEqual([refOf(0)])
    await queue.close()
  })
})
