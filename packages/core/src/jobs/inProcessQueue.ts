/** A queue within this process. It loses its refs when the process ends. */
import type { ChunkConsumer, ChunkHandlers, ChunkQueue, Delivery } from "./ChunkQueue.ts"
import type { ChunkRef } from "./Job.ts"
import { pause } from "./pause.ts"

interface Entry {
  readonly ref: ChunkRef
  readonly name: string
  /** Number of deliveries that were rejected. */
  rejections: number
  /** Whether its consumer closed before it ended, so that another one gets it. */
  isAbandoned: boolean
}

/** Number of rejections after which a ref is given up. */
const maxRejections = 6

/** Milliseconds before the first redelivery of a rejected ref; each further delay is twice as long. */
const backoffMs = 100

/** The longest time that a timer can wait. A ref that is delivered too early is postponed again. */
const longestTimerMs = 2 ** 31 - 1

/** Milliseconds that a handler has to end after its signal was aborted. */
const graceMs = 1000

/** Makes a queue within this process. */
export const inProcessQueue = (): ChunkQueue => {
  const waiting = new Map<string, Entry>()
  const delayed = new Map<string, ReturnType<typeof setTimeout>>()
  const consumers = new Set<Consumer>()

  const wake = () => {
    for (const consumer of consumers) consumer.pull()
  }

  const add = (entry: Entry, delayMs: number) => {
    if (waiting.has(entry.name) || delayed.has(entry.name)) return
    if (delayMs <= 0) {
      waiting.set(entry.name, entry)
      return
    }
    const timer = setTimeout(
      () => {
        delayed.delete(entry.name)
        waiting.set(entry.name, entry)
        wake()
      },
      Math.min(delayMs, longestTimerMs),
    )
    delayed.set(entry.name, timer)
  }

  class Consumer implements ChunkConsumer {
    private readonly handlers: ChunkHandlers
    private readonly concurrency: number
    private readonly stopping = new AbortController()
    private readonly running = new Map<Promise<void>, Entry>()
    private isClosed = false

    constructor(handlers: ChunkHandlers, concurrency: number) {
      this.handlers = handlers
      this.concurrency = concurrency
    }

    pull(): void {
      while (!this.isClosed && this.running.size < this.concurrency) {
        const next = waiting.entries().next()
        if (next.done === true) return
        const [name, entry] = next.value
        waiting.delete(name)
        const run: Promise<void> = this.deliver(entry).then(() => {
          this.running.delete(run)
          this.pull()
          return undefined
        })
        this.running.set(run, entry)
      }
    }

    async close(timeoutMs: number): Promise<void> {
      this.isClosed = true
      consumers.delete(this)
      const ended = Promise.all(this.running.keys())
      await waitFor(ended, timeoutMs)
      this.stopping.abort()
      await waitFor(ended, graceMs)
      for (const entry of this.running.values()) {
        entry.isAbandoned = true
        add({ ...entry, isAbandoned: false }, 0)
      }
      wake()
    }

    private async deliver(entry: Entry): Promise<void> {
      // In another macrotask, so that the handler does not inherit the asynchronous context of the call of `enqueue`.
      await pause(0)
      const delivery: Delivery = { ref: entry.ref, signal: this.stopping.signal, complete: undefined }
      try {
        await this.handlers.run(delivery)
        return
      } catch {
        if (entry.isAbandoned) return
        entry.rejections++
      }
      if (entry.rejections < maxRejections) return add(entry, backoffMs * 2 ** (entry.rejections - 1))
      // If this fails too, the chunk is found as overdue.
      await this.handlers.dead(entry.ref).catch(() => undefined)
    }
  }

  return {
    isVolatile: true,
    isTransactional: false,
    enqueue: async (refs, { delayMs = 0 } = {}) => {
      for (const ref of refs) add({ ref, name: nameOf(ref), rejections: 0, isAbandoned: false }, delayMs)
      wake()
    },
    consume: async (handlers, concurrency) => {
      const consumer = new Consumer(handlers, concurrency)
      consumers.add(consumer)
      consumer.pull()
      return consumer
    },
    forget: async (refs) => {
      for (const ref of refs) {
        const name = nameOf(ref)
        waiting.delete(name)
        clearTimeout(delayed.get(name))
        delayed.delete(name)
      }
    },
    close: async () => {
      for (const timer of delayed.values()) clearTimeout(timer)
      delayed.clear()
      waiting.clear()
    },
  }
}

const nameOf = ({ job, chunk, dispatch }: ChunkRef): string => `${job}-${chunk}-${dispatch}`

// The timer is cleared: it would keep alive a process that has nothing else to do.
const waitFor = async (ended: Promise<unknown>, milliseconds: number): Promise<void> => {
  let timer: ReturnType<typeof setTimeout> | undefined
  const timeout = new Promise((resolve) => {
    timer = setTimeout(resolve, milliseconds)
  })
  await Promise.race([ended, timeout])
  clearTimeout(timer)
}
