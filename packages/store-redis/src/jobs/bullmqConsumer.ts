/** A worker of BullMQ that runs chunks. */
import type { ChunkConsumer, ChunkHandlers, ChunkRef } from "@multistatus/core/store"
import type { Job } from "bullmq"
import { setTimeout as sleep } from "node:timers/promises"
import { type BullmqConnection, workerConnection } from "./bullmqConnections.ts"
import type { BullmqSettings } from "./BullmqSettings.ts"

/** How long handlers have to stop after their signals fired. */
const graceMs = 2_000

/** How long it takes at most to tell Redis what they left. */
const partingMs = 1_000

/** Begins to run what the queue delivers. */
export const bullmqConsumer = async (
  connection: BullmqConnection,
  { load, name, connection: given, onError, worker: settings }: BullmqSettings,
  handlers: ChunkHandlers,
  concurrency: number,
): Promise<ChunkConsumer> => {
  const { Worker, factory } = await load()
  const client = given === undefined ? workerConnection(connection) : undefined
  client?.on("error", onError)
  const running = new Map<string, { readonly stop: (reason: Error) => void; readonly leave: (reason: Error) => void }>()
  const telling = new Set<Promise<void>>()

  const run = async ({ id = "", data }: Job<ChunkRef>): Promise<void> => {
    const controller = new AbortController()
    const { signal } = controller
    const left = Promise.withResolvers<never>()
    const delivery = { stop: (reason: Error) => controller.abort(reason), leave: left.reject }
    running.set(id, delivery)
    try {
      await Promise.race([handlers.run({ ref: data, signal, complete: undefined }), left.promise])
    } finally {
      // Not that of another delivery, which came here when this one was thought dead.
      if (running.get(id) === delivery) running.delete(id)
    }
  }

  const options = { ...settings, concurrency, connection: client ?? given!, autorun: false }
  const worker = new Worker(name, run, options, factory)
  worker.on("error", onError)
  worker.on("lockRenewalFailed", (ids) => {
    for (const id of ids) running.get(id)?.stop(new Error("The queue has given this chunk to another worker"))
  })
  worker.on("failed", (job) => {
    // One that is to be delivered again has not finished.
    if (job?.finishedOn === undefined) return
    const told = handlers.dead(job.data as ChunkRef).catch(onError)
    telling.add(told)
    void told.finally(() => telling.delete(told))
  })

  // A connection to Redis may be made later; a backend that is not set up would fail over and over.
  if (client === undefined) await worker.waitUntilReady()
  void worker.run().catch(onError)

  return {
    close: async (timeoutMs) => {
      const closed = worker.close()
      if (!(await within(timeoutMs, closed))) {
        for (const { stop } of running.values()) stop(new Error("The worker is stopping"))
        if (!(await within(graceMs, closed))) {
          for (const { leave } of running.values()) leave(new Error("The worker stopped before the chunk had ended"))
          if (!(await within(partingMs, closed))) await worker.disconnect()
        }
      }
      await within(partingMs, Promise.all(telling))
      client?.disconnect()
    },
  }
}

/** Whether it ends in time. */
const within = async (ms: number, work: Promise<unknown>): Promise<boolean> => {
  const timer = new AbortController()
  const late = sleep(ms, false, { signal: timer.signal }).catch(() => false)
  const isDone = await Promise.race([work.then(() => true), late])
  timer.abort()
  return isDone
}
