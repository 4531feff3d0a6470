/** Delivers refs from a queue on BullMQ. */
import type { ChunkConsumer, ChunkHandlers, ChunkRef } from "@multistatus/core/store"
import type { Job } from "bullmq"
import { setTimeout as sleep } from "node:timers/promises"
import { type BullmqConnection, workerConnection } from "./bullmqConnections.ts"
import type { BullmqSettings } from "./BullmqSettings.ts"

/** Milliseconds that handlers have to end after their signals were aborted. */
const graceMs = 2_000

/** Milliseconds to report to Redis which chunks have not ended. */
const reportMs = 1_000

/** Starts to deliver refs. */
export const bullmqConsumer = async (
  connection: BullmqConnection,
  { load, name, connection: given, onError, worker: settings }: BullmqSettings,
  handlers: ChunkHandlers,
  concurrency: number,
): Promise<ChunkConsumer> => {
  const { Worker, factory } = await load()
  const client = given === undefined ? workerConnection(connection) : undefined
  client?.on("error", onError)
  const running = new Map<string, Running>()
  const handlingDead = new Set<Promise<void>>()

  const run = async ({ id = "", data }: Job<ChunkRef>): Promise<void> => {
    const controller = new AbortController()
    const { signal } = controller
    const abandoned = Promise.withResolvers<never>()
    const delivery: Running = { abort: (reason) => controller.abort(reason), abandon: abandoned.reject }
    running.set(id, delivery)
    try {
      await Promise.race([handlers.run({ ref: data, signal, complete: undefined }), abandoned.promise])
    } finally {
      // If this delivery was thought dead, the ref may have been redelivered to this worker.
      if (running.get(id) === delivery) running.delete(id)
    }
  }

  const options = { ...settings, concurrency, connection: client ?? given!, autorun: false }
  const worker = new Worker(name, run, options, factory)
  worker.on("error", onError)
  worker.on("lockRenewalFailed", (ids) => {
    for (const id of ids) running.get(id)?.abort(new Error("The queue has redelivered this chunk to another worker"))
  })
  worker.on("failed", (job) => {
    // It is not finished if it will be redelivered.
    if (job?.finishedOn === undefined) return
    const handled = handlers.dead(job.data as ChunkRef).catch(onError)
    handlingDead.add(handled)
    void handled.finally(() => handlingDead.delete(handled))
  })

  // Redis may be connected later. Another backend that is not set up would fail again and again.
  if (client === undefined) await worker.waitUntilReady()
  void worker.run().catch(onError)

  return {
    close: async (timeoutMs) => {
      const closed = worker.close()
      if (!(await endsWithin(timeoutMs, closed))) {
        for (const { abort } of running.values()) abort(new Error("The worker is shutting down"))
        if (!(await endsWithin(graceMs, closed))) {
          for (const { abandon } of running.values()) abandon(new Error("The worker shut down before the chunk ended"))
          if (!(await endsWithin(reportMs, closed))) await worker.disconnect()
        }
      }
      await endsWithin(reportMs, Promise.all(handlingDead))
      client?.disconnect()
    },
  }
}

/** A delivery whose handler runs. */
interface Running {
  readonly abort: (reason: Error) => void
  /** Lets BullMQ redeliver the ref, although the handler has not ended. */
  readonly abandon: (reason: Error) => void
}

/** Waits for work. Returns false if it has not ended in time. */
const endsWithin = async (ms: number, work: Promise<unknown>): Promise<boolean> => {
  const timer = new AbortController()
  const timeout = sleep(ms, false, { signal: timer.signal }).catch(() => false)
  const hasEnded = await Promise.race([work.then(() => true), timeout])
  timer.abort()
  return hasEnded
}
