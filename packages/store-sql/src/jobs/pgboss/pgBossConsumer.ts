/** Delivers the refs of a queue of pg-boss. */
import { setTimeout as delay } from "node:timers/promises"

import type { ChunkConsumer, ChunkHandlers } from "@multistatus/core/store"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type { Job, PgBoss } from "pg-boss"

import * as ChunkJob from "./ChunkJob.ts"
import { pgBossTransaction } from "./pgBossTransaction.ts"

interface Consuming {
  readonly boss: PgBoss
  /** The queue of what is due. */
  readonly name: string
  /** The queue of what was given up. */
  readonly dead: string
  readonly handlers: ChunkHandlers
  readonly concurrency: number
  readonly onError: (error: unknown) => void
}

/** Milliseconds that handlers have once they were told to stop. */
const graceMs = 1000

/** Milliseconds that a ref waits here for its turn: after them, another worker may have it. */
const waitMs = 2000

/** Begins to deliver. */
export const pgBossConsumer = async (consuming: Consuming): Promise<ChunkConsumer> => {
  const { boss, name, dead, handlers, concurrency, onError } = consuming
  const closing = new AbortController()
  const stopping = new AbortController()
  const running = new Map<Promise<unknown>, Job<ChunkJob.ChunkJob>>()
  const slots: Array<string> = []
  const polling = { pollingIntervalSeconds: 1, notifyPollingIntervalSeconds: 1, batchSize: 1 }
  const turns = Semaphore.makeUnsafe(concurrency)

  const take = async (job: Job<ChunkJob.ChunkJob>): Promise<void> => {
    const turn = Effect.runPromise(turns.take(1), { signal: closing.signal })
    if (!(await within(waitMs, turn))) await giveBack(job, turn)
    else if (closing.signal.aborted || job.signal.aborted) {
      Effect.runSync(turns.release(1))
      throw new Error("Its worker was closed, or did not get round to it in time")
    } else await run(job)
  }

  // Whoever gives a ref back does not fetch another one before it could run it.
  const giveBack = async ({ id, data }: Job<ChunkJob.ChunkJob>, turn: Promise<unknown>): Promise<void> => {
    try {
      await boss.insert(name, [ChunkJob.givenBack(data)])
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
      await deliverAgain(job, error)
    } finally {
      running.delete(work)
      Effect.runSync(turns.release(1))
      // There may be more: a worker that has just ended a chunk would look again only after its interval.
      for (const slot of slots) setImmediate(() => closing.signal.aborted || boss.notifyWorker(slot))
    }
  }

  // pg-boss knows one pause for workers that died and for those that rejected: what died is not to wait.
  const deliverAgain = async ({ id, data, retryCount }: Job<ChunkJob.ChunkJob>, error: unknown): Promise<void> => {
    const [held] = await boss.findJobs(name, { id })
    // It was completed, or another worker was given it.
    if (held?.state !== "active" || held.retryCount !== retryCount) return
    // It was told to stop, which is nothing that a pause would mend.
    if (stopping.signal.aborted) throw error
    const next = ChunkJob.afterRejection(data)
    if (next === undefined) await boss.insert(dead, [{ id, data }])
    else await boss.insert(name, [next])
  }

  // One more than run at once: the next ref is fetched while others run, and waits for its turn.
  for (let slot = 0; slot <= concurrency; slot++) {
    slots.push(
      await boss.work<ChunkJob.ChunkJob>(name, polling, async ([job]) => {
        if (job !== undefined) await take(job)
      }),
    )
  }
  const burying = await boss.work<ChunkJob.ChunkJob>(dead, polling, async ([job]) => {
    if (job !== undefined) await handlers.dead(refOf(job.data))
  })

  return {
    close: async (timeoutMs) => {
      closing.abort()
      const leaving = [
        ...slots.map((id) => boss.offWork(name, { id, wait: false })),
        boss.offWork(dead, { id: burying, wait: false }),
      ]
      for (const { reason } of (await Promise.allSettled(leaving)).filter(isRejected)) onError(reason)
      const ended = Promise.allSettled(running.keys())
      await within(timeoutMs, ended)
      stopping.abort()
      await within(graceMs, ended)
      // As long as this process lives it is heard of, and so would be what it has given up.
      for (const job of running.values()) {
        await boss.fail(name, job, new Error("Its worker was closed")).catch(onError)
      }
    },
  }
}

const refOf = ({ job, chunk, dispatch }: ChunkJob.ChunkJob) => ({ job, chunk, dispatch })

const isRejected = (result: PromiseSettledResult<unknown>): result is PromiseRejectedResult =>
  result.status === "rejected"

/** Whether it ends in time; rejects if it does. */
const within = async (milliseconds: number, work: Promise<unknown>): Promise<boolean> => {
  const timer = new AbortController()
  const late = delay(milliseconds, false, { ref: false, signal: timer.signal }).catch(() => false)
  try {
    return await Promise.race([work.then(() => true), late])
  } finally {
    timer.abort()
  }
}
