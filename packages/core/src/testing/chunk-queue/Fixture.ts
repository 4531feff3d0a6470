/** What the cases of `ChunkQueueContract` share: new refs, and consumers that record what they get. */
import type { ChunkRef } from "../../jobs/Job.ts"
import { randomId } from "../../platform/randomId.ts"
import type { ChunkConsumer, ChunkQueue, Delivery } from "../../jobs/ChunkQueue.ts"

/** A queue under test. It has no other consumers. */
export interface Backend {
  readonly queue: ChunkQueue
  /** The same queue through another client, as another process has it. Default: `queue`. */
  readonly other?: ChunkQueue | undefined
  /** Runs a function in a transaction, and rolls it back if the function rejects. Required if `isTransactional`. */
  readonly transaction?: ((run: (transaction: unknown) => Promise<void>) => Promise<void>) | undefined
  readonly close?: (() => Promise<unknown>) | undefined
}

/** The queue, and how long cases wait. */
export interface Context {
  readonly backend: () => Backend
  /** Maximum time until a ref is delivered, in milliseconds. */
  readonly deliveryMs: number
  /** Maximum time until a ref is redelivered or given up, in milliseconds. */
  readonly redeliveryMs: number
}

/** `count` refs of a new job. */
export const newRefs = (count: number, given: Partial<ChunkRef> = {}): ReadonlyArray<ChunkRef> => {
  const job = randomId()
  return Array.from({ length: count }, (_, chunk) => ({ job, chunk, dispatch: 0, ...given }))
}

/** Resolves after some milliseconds. */
export const wait = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds))

const open = new Set<ChunkConsumer>()

/** Closes the consumers that a failed case has left open. */
export const closeAll = async (): Promise<void> => {
  await Promise.all([...open].map((consumer) => consumer.close(0)))
  open.clear()
}

/** A consumer, and the refs that it got, in order. */
export interface Recording {
  readonly delivered: Array<ChunkRef>
  readonly dead: Array<ChunkRef>
  readonly consumer: ChunkConsumer
}

/** Consumes and records the refs of some jobs. Refs that other cases have left are dropped. */
export const consume = async (
  queue: ChunkQueue,
  refs: ReadonlyArray<ChunkRef>,
  concurrency: number,
  run: (delivery: Delivery) => Promise<void> = async () => undefined,
): Promise<Recording> => {
  const jobs = new Set(refs.map(({ job }) => job))
  const delivered: Array<ChunkRef> = []
  const dead: Array<ChunkRef> = []
  const handlers = {
    run: async (delivery: Delivery) => {
      if (!jobs.has(delivery.ref.job)) return
      delivered.push(delivery.ref)
      await run(delivery)
    },
    dead: async (ref: ChunkRef) => {
      if (jobs.has(ref.job)) dead.push(ref)
    },
  }
  const consumer = await queue.consume(handlers, concurrency)
  open.add(consumer)
  const close = async (timeoutMs: number) => {
    open.delete(consumer)
    await consumer.close(timeoutMs)
  }
  return { delivered, dead, consumer: { close } }
}

/** A promise that `open` resolves. */
export const gate = () => {
  let open = (): void => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open, opened }
}

/** Refs as texts, sorted for comparison. */
export const sorted = (refs: ReadonlyArray<ChunkRef>): ReadonlyArray<string> =>
  refs.map(({ job, chunk, dispatch }) => `${job} ${chunk} ${dispatch}`).sort()
