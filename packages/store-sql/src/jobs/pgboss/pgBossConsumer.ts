/** Delivers refs from a queue on pg-boss. */
import { setTimeout as delay } from "node:timers/promises"

import type { ChunkConsumer, ChunkHandlers } from "@multistatus/core/store"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type { Job, PgBoss } from "pg-boss"

import * as ChunkJob from "./ChunkJob.ts"
import { pgBossTransaction } from "./pgBossTransaction.ts"

interface PgBossConsumerOptions {
  readonly boss: PgBoss
  /** Name of the queue. */
  readonly name: string
  /** Name of the dead-letter queue. */
  readonly dead: string
  readonly handlers: ChunkHandlers
  readonly concurrency: number
  readonly onError: (error: unknown) => void
}

/** Milliseconds that handlers have to end after their signals were aborted. */
const graceMs = 1000

/** Milliseconds that a ref waits for this worker. Then it is returned for another worker. */
const waitMs = 2000

/** Starts to deliver refs. */
export const pgBossConsumer = async (options: PgBossConsumerOptions): Promise<ChunkConsumer> => {
  const { boss, name, dead, handlers, concurrency, onError } = options
  const closing = new AbortController()
  const stopping = new AbortController()
  const running = new Map<Promise<unknown>, Job<ChunkJob.ChunkJob>>()
  const slots: Array<string> = []
  const polling = { pollingIntervalSeconds: 1, notifyPollingIntervalSeconds: 1, batchSize: 1 }
  const turns = Semaphore.makeUnsafe(concurrency)

  const take = async (job: Job<ChunkJob.ChunkJob>): Promise<void> => {
    const turn = Effect.runPromise(turns.take(1), { signal: closing.signal })
    if (!(await endsWithin(waitMs, turn))) await returnJob(job, turn)
    else if (closing.signal.aborted || job.signal.aborted) {
      Effect.runSync(turns.release(1))
      throw new Error("The worker closed, or the job timed out, before the chunk could start")
    } else await run(job)
  }

  // A worker that has returned a ref waits for its turn before it fetches another one.
  const returnJob = async ({ id, data }: Job<ChunkJob.ChunkJob>, turn: Promise<unknown>): Promise<void> => {
    try {
      await boss.insert(name, [ChunkJob.afterReturn(data)])
      await boss.complete(name, id)
    } finally {
      const release = () => Effect.runSync(turns.release(1))
      await turn.then(release, () => undefined)
    }
  }

  const run = async (job: Job<ChunkJob.ChunkJob>): Promise<void> => {
    const { id, data, signal } = job
    const work = handlers.run({
      ref: refOf(data),
      signal: AbortSignal.any([signal, stopping.signal]),
      complete: async (transaction) => {
        await boss.complete(name, id, null, { db: pgBossTransaction(transaction) })
      },
    })
    running.set(work, job)
    try {
      await work
    } catch (error) {
      await redeliver(job, error)
    } finally {
      running.delete(work)
      Effect.runSync(turns.release(1))
      // Without this, a worker would fetch the next ref only after its polling interval.
      for (const slot of slots) setImmediate(() => closing.signal.aborted || boss.notifyWorker(slot))
    }
  }

  // pg-boss has one delay for workers that died and for handlers that rejected. A ref whose worker died must not wait, so
  // rejected refs are inserted again with a delay of their own.
  const redeliver = async ({ id, data, retryCount }: Job<ChunkJob.ChunkJob>, error: unknown): Promise<void> => {
    const [current] = await boss.findJobs(name, { id })
    // The handler has completed it in a transaction, or pg-boss has redelivered it.
    if (current?.state !== "active" || current.retryCount !== retryCount) return
    // It was aborted because this worker closes, so that another one can run it at once.
    if (stopping.signal.aborted) throw error
    const next = ChunkJob.afterRejection(data)
    if (next === undefined) await boss.insert(dead, [{ id, data }])
    else await boss.insert(name, [next])
  }

  // One slot more than chunks run at once: it fetches the next ref while others run.
  for (let slot = 0; slot <= concurrency; slot++) {
    slots.push(
      await boss.work<ChunkJob.ChunkJob>(name, polling, async ([job]) => {
        if (job !== undefined) await take(job)
      }),
    )
  }
  const deadSlot = await boss.work<ChunkJob.ChunkJob>(dead, polling, async ([job]) => {
    if (job !== undefined) await handlers.dead(refOf(job.data))
  })

  return {
    close: async (timeoutMs) => {
      closing.abort()
      const offWork = [
        ...slots.map((id) => boss.offWork(name, { id, wait: false })),
        boss.offWork(dead, { id: deadSlot, wait: false }),
      ]
      for (const { reason } of (await Promise.allSettled(offWork)).filter(isRejected)) onError(reason)
      const ended = Promise.allSettled(running.keys())
      await endsWithin(timeoutMs, ended)
      stopping.abort()
      await endsWithin(graceMs, ended)
      // This process still sends heartbeats for them, so that pg-boss would not redeliver them.
      for (const job of running.values()) {
        await boss.fail(name, job, new Error("The worker closed before the chunk ended")).catch(onError)
      }
    },
  }
}

const refOf = ({ job, chunk, dispatch }: ChunkJob.ChunkJob) => ({ job, chunk, dispatch })

const isRejected = (result: PromiseSettledResult<unknown>): result is PromiseRejectedResult =>
  result.status === "rejected"

/** Waits for work, and rejects if it does. Returns false if it has not ended in time. */
const endsWithin = async (milliseconds: number, work: Promise<unknown>): Promise<boolean> => {
  const timer = new AbortController()
  const timeout = delay(milliseconds, false, { ref: false, signal: timer.signal }).catch(() => false)
  try {
    return await Promise.race([work.then(() => true), timeout])
  } finally {
    timer.abort()
  }
}
