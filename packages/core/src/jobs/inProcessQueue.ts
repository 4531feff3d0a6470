/** Tells this process which chunks are due: what is in it dies with the process. */
import type { ChunkRef } from "./Job.ts"
import type { ChunkConsumer, ChunkHandlers, ChunkQueue, Delivery } from "./ChunkQueue.ts"

interface Waiting {
  readonly ref: ChunkRef
  readonly name: string
  /** Deliveries that were rejected. */
  rejections: number
  /** Whether its consumer closed without it, so that it was given to another. */
  isLeft: boolean
}

/** Rejections after which a ref is given up. */
const mostRejections = 6

/** Milliseconds before the second delivery of a ref that was rejected; each pause after it is twice as long. */
const pauseMs = 100

/** Timers count no further. A ref that comes early finds that its time has not come, and waits again. */
const longestMs = 2 ** 31 - 1

/** Milliseconds that a handler has, once it was told to stop. */
const graceMs = 1000

/** Makes a queue within this process. */
export const inProcessQueue = (): ChunkQueue => {
  const waiting = new Map<string, Waiting>()
  const delayed = new Map<string, ReturnType<typeof setTimeout>>()
  const consumers = new Set<Consumer>()

  const wake = () => {
    for (const consumer of consumers) consumer.pull()
  }

  const add = (entry: Waiting, delayMs: number) => {
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
      Math.min(delayMs, longestMs),
    )
    delayed.set(entry.name, timer)
  }

  class Consumer implements ChunkConsumer {
    private readonly handlers: ChunkHandlers
    private readonly concurrency: number
    private readonly stopping = new AbortController()
    private readonly running = new Map<Promise<void>, Waiting>()
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
      await within(timeoutMs, ended)
      this.stopping.abort()
      await within(graceMs, ended)
      for (const entry of this.running.values()) {
        entry.isLeft = true
        add({ ...entry, isLeft: false }, 0)
      }
      wake()
    }

    private async deliver(entry: Waiting): Promise<void> {
      // What is started in the turn that something was enqueued in would see the caller's asynchronous context.
      await pause(0)
      const delivery: Delivery = { ref: entry.ref, signal: this.stopping.signal, complete: undefined }
      try {
        await this.handlers.run(delivery)
        return
      } catch {
        if (entry.isLeft) return
        entry.rejections++
      }
      if (entry.rejections < mostRejections) return add(entry, pauseMs * 2 ** (entry.rejections - 1))
      // Whoever sweeps the store finds the chunk, if this fails too.
      await this.handlers.dead(entry.ref).catch(() => undefined)
    }
  }

  return {
    isVolatile: true,
    isTransactional: false,
    enqueue: async (refs, { delayMs = 0 } = {}) => {
      for (const ref of refs) add({ ref, name: nameOf(ref), rejections: 0, isLeft: false }, delayMs)
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

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds))

// The timer goes with what it was for: it would keep a process alive that has ended everything else.
const within = async (milliseconds: number, ended: Promise<unknown>): Promise<void> => {
  let timer: ReturnType<typeof setTimeout> | undefined
  const over = new Promise((resolve) => {
    timer = setTimeout(resolve, milliseconds)
  })
  await Promise.race([ended, over])
  clearTimeout(timer)
}
