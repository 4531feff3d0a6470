/** What the cases of `ChunkQueueContract` share: refs that nobody sent before, and consumers that note what they get. */
import type { ChunkRef } from "../../jobs/Job.ts"
import { randomId } from "../../platform/randomId.ts"
import type { ChunkConsumer, ChunkQueue, Delivery } from "../../jobs/ChunkQueue.ts"

/** A queue under test, with no other consumers. */
export interface Backend {
  readonly queue: ChunkQueue
  /** The same queue through another client: another connection, as another process has it. Default: `queue`. */
  readonly other?: ChunkQueue | undefined
  /** Runs in a transaction, rolled back if it rejects; needed where `isTransactional`. */
  readonly transaction?: ((run: (transaction: unknown) => Promise<void>) => Promise<void>) | undefined
  readonly close?: (() => Promise<unknown>) | undefined
}

/** What the cases go by. */
export interface Circumstances {
  readonly backend: () => Backend
  /** Milliseconds in which a ref is delivered. */
  readonly promptMs: number
  /** Milliseconds in which a ref is delivered again, given up, or given to another. */
  readonly patienceMs: number
}

/** So many refs of a job that nobody made before. */
export const newRefs = (count: number, given: Partial<ChunkRef> = {}): ReadonlyArray<ChunkRef> => {
  const job = randomId()
  return Array.from({ length: count }, (_, chunk) => ({ job, chunk, dispatch: 0, ...given }))
}

/** Waits so long. */
export const wait = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds))

const open = new Set<ChunkConsumer>()

/** Closes consumers that a case left open because it failed. */
export const closeAll = async (): Promise<void> => {
  await Promise.all([...open].map((consumer) => consumer.close(0)))
  open.clear()
}

/** What a consumer got, in order. */
export interface Notes {
  readonly delivered: Array<ChunkRef>
  readonly dead: Array<ChunkRef>
  readonly consumer: ChunkConsumer
}

/** Consumes refs of some jobs with a handler, and notes them; what is left of other cases is taken away. */
export const consume = async (
  queue: ChunkQueue,
  refs: ReadonlyArray<ChunkRef>,
  concurrency: number,
  run: (delivery: Delivery) => Promise<void> = async () => undefined,
): Promise<Notes> => {
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

/** Something that is waited for. */
export const gate = () => {
  let open = (): void => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open, opened }
}

/** Refs in an order of their own, to be compared with others. */
export const sorted = (refs: ReadonlyArray<ChunkRef>): ReadonlyArray<string> =>
  refs.map(({ job, chunk, dispatch }) => `${job} ${chunk} ${dispatch}`).sort()
