/** Refs of chunks in a queue of BullMQ. */
import type { ChunkQueue, ChunkRef } from "@multistatus/core/store"
import { bullmqConsumer } from "./bullmqConsumer.ts"
import { type BullmqConnection, producerConnection } from "./bullmqConnections.ts"
import type { BullmqOptions } from "./BullmqOptions.ts"
import { settleBullmqOptions } from "./BullmqSettings.ts"
import { connected } from "../connection/checkRedis.ts"

/** How long the first refs wait for a connection. */
const connectMs = 2_000

/**
 * Makes a queue on BullMQ 6, which is an optional peer: `npm install bullmq`.
 *
 * **Details** Sending has a connection of its own, which rejects at once while Redis is down, and each consumer two that
 * wait for it. A chunk whose worker died is delivered to another one when its lock has run out and a check has found it:
 * after `lockDuration` and two `stalledInterval` at the latest. One that rejects is delivered again after 0.5 s, 1 s, 2 s, and so on,
 * ten times in all; one that was on four workers when they died is not delivered again.
 *
 * **Gotchas** A handler that keeps the event loop busy for longer than `lockDuration` is thought dead, and its chunk delivered to
 * another worker as well.
 */
export const bullmqQueue = (connection: BullmqConnection, options: BullmqOptions = {}): ChunkQueue => {
  const settings = settleBullmqOptions(options)
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
    if (isClosed) throw new Error("The queue was closed")
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

/** BullMQ takes neither colons nor digits alone. */
const nameOf = ({ job, chunk, dispatch }: ChunkRef): string => `${job}-${chunk}-${dispatch}`
