/** Delivers the refs of a queue of pg-boss. */
import { setTimeout as delay } from "node:timers/promises"

import type { ChunkConsumer, ChunkHandlers } from "@multistatus/core"
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
}

/** Milliseconds that handlers have once they were told to stop. */
const graceMs = 1000

/** Begins to deliver. */
export const pgBossConsumer = async ({
  boss,
  name,
  dead,
  handlers,
  concurrency,
}: Consuming): Promise<ChunkConsumer> => {
  const closing = new AbortController()
  const stopping = new AbortController()
  const running = new Map<Promise<unknown>, string>()
  const slots: Array<string> = []
  const polling = { pollingIntervalSeconds: 1, notifyPollingIntervalSeconds: 1, batchSize: 1 }
  const turns = Semaphore.makeUnsafe(concurrency)

  const run = async (job: Job<ChunkJob.ChunkJob>): Promise<void> => {
    // A worker that closes gives back what waits for its turn.
    await Effect.runPromise(turns.take(1), { signal: closing.signal })
    const { id, data, signal } = job
    const work = handlers.run({
      ref: refOf(data),
      signal: AbortSignal.any([signal, stopping.signal]),
      complete: async (transaction) => {
        await boss.complete(name, id, null, { db: pgBossTransaction(transaction) })
      },
    })
    running.set(work, id)
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
  const deliverAgain = async ({ id, data }: Job<ChunkJob.ChunkJob>, error: unknown): Promise<void> => {
    const [held] = await boss.findJobs(name, { id })
    if (held?.state !== "active") return
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
        if (job !== undefined) await run(job)
      }),
    )
  }
  const burying = await boss.work<ChunkJob.ChunkJob>(dead, polling, async ([job]) => {
    if (job !== undefined) await handlers.dead(refOf(job.data))
  })

  return {
    close: async (timeoutMs) => {
      closing.abort()
      await Promise.all(slots.map((id) => boss.offWork(name, { id, wait: false })))
      await boss.offWork(dead, { id: burying, wait: false })
      const ended = Promise.allSettled(running.keys())
      await Promise.race([ended, delay(timeoutMs, undefined, { ref: false })])
      stopping.abort()
      await Promise.race([ended, delay(graceMs, undefined, { ref: false })])
      // As long as this process lives it is heard of, and so would be what it has given up.
      for (const id of running.values()) await boss.fail(name, id, new Error("Its worker was closed"))
    },
  }
}

const refOf = ({ job, chunk, dispatch }: ChunkJob.ChunkJob) => ({ job, chunk, dispatch })
