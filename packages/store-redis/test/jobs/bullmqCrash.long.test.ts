import { freshDatabase } from "@multistatus/test-services"
import { setTimeout as sleep } from "node:timers/promises"
import { expect, inject, it, vi } from "vitest"
import { bullmqQueue } from "../../src/jobs/bullmqQueue.ts"
import { recorder, refOf } from "../support/queues.ts"
import { startWorker } from "../support/workerProcess.ts"

it.each([0, 1, 2.3, 3.6, 4.9, 6.2])(
  "redelivers within 15 seconds the refs of a worker that is killed after %d seconds",
  async (seconds) => {
    const url = await freshDatabase(inject("redisUrl"))
    const queue = bullmqQueue(url)
    const { handlers, delivered } = recorder()
    await queue.enqueue([refOf(0), refOf(1)])
    await using worker = startWorker(url, {}, "hold")
    await vi.waitUntil(() => worker.lines().length === 3, 20_000)
    const consumer = await queue.consume(handlers, 2)
    // Its lock is renewed in the meantime, so that it expires at different times.
    await sleep(seconds * 1_000)
    await worker.kill("SIGKILL")
    const startedAt = performance.now()
    await vi.waitUntil(() => delivered.length === 2, 30_000)
    const tookSeconds = (performance.now() - startedAt) / 1_000
    console.info(`redelivered after ${tookSeconds.toFixed(1)} s`)
    expect(tookSeconds).toBeLessThan(15)
    await consumer.close(1_000)
    await queue.close()
  },
)
