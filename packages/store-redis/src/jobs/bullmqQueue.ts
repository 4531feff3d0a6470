/** A queue of refs on BullMQ. */
import type { ChunkQueue, ChunkRef } from "@multistatus/core/store"
import { bullmqConsumer } from "./bullmqConsumer.ts"
import { type BullmqConnection, producerConnection } from "./bullmqConnections.ts"
import type { BullmqOptions } from "./BullmqOptions.ts"
import { resolveBullmqOptions } from "./BullmqSettings.ts"
import { connected } from "../connection/checkRedis.ts"

/** Milliseconds that the first call waits for a connection. */
const connectMs = 2_000

/**
 * Makes a queue on BullMQ 6, which is an optional peer: `npm install bullmq`.
 *
 * **Details** Refs are enqueued on a connection that rejects at once while Redis is down. Each consumer has two connections that
 * wait for Redis. If a worker dies, its chunk is redelivered at the latest after `lockDuration` and two `stalledInterval`. If a handler
 * rejects, the chunk is redelivered after 0.5 s, 1 s, 2 s and so on, up to ten deliveries. A chunk that was running on four
 * workers when they died is not redelivered.
 *
 * **Gotchas** A handler that blocks the event loop for longer than `lockDuration` is thought dead, and its chunk is redelivered to
 * another worker while it runs.
 */
export const bullmqQueue = (connection: BullmqConnection, options: BullmqOptions = {}): ChunkQueue => {
  const settings = resolveBullmqOptions(options)
  const open = async () => {
    const { Queue, factory } = await settings.load()
    const { name, onError } = settings
    const client = settings.connection === undefined ? producerConnection(connection) : undefined
    client?.on("error", onError)
    try {
      if (client !== undefined) await connected(client, connectMs)
      const options = { ...settings.queue, connection: client ?? settings.connection! }
      const queue = new Queue(name, options, factory)
      queue.on("error", onError)
      await queue.waitUntilReady()
      return { queue, end: () => client?.disconnect() }
    } catch (error) {
      client?.disconnect()
      throw error
    }
  }

  let opening: ReturnType<typeof open> | undefined
  let isClosed = false

  const opened = async (): Promise<Awaited<ReturnType<typeof open>>> => {
    if (isClosed) throw new Error("The queue is closed: refs cannot be enqueued any more")
    opening ??= open()
    try {
      return await opening
    } catch (error) {
      opening = undefined
      throw error
    }
  }

  return {
    isVolatile: false,
    isTransactional: false,
    enqueue: async (refs, { delayMs = 0 } = {}) => {
      if (refs.length === 0) return
      const { queue } = await opened()
      await queue.addBulk(
        refs.map((ref) => ({ name: "chunk", data: ref, opts: { jobId: nameOf(ref), delay: Math.ceil(delayMs) } })),
      )
    },
    consume: (handlers, concurrency) => bullmqConsumer(connection, settings, handlers, concurrency),
    forget: async (refs) => {
      if (refs.length === 0) return
      const { queue } = await opened()
      await Promise.all(refs.map((ref) => queue.remove(nameOf(ref))))
    },
    close: async () => {
      isClosed = true
      const open = await opening?.catch(() => undefined)
      opening = undefined
      await open?.queue.close()
      open?.end()
    },
  }
}

/** BullMQ rejects ids that contain colons, or only digits. */
const nameOf = ({ job, chunk, dispatch }: ChunkRef): string => `${job}-${chunk}-${dispatch}`
