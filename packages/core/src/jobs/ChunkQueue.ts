/**
 * Tells workers that chunks are due. Any queue that delivers at least once will do: the store knows what is true.
 *
 * To add a queue, implement `ChunkQueue` and run `ChunkQueueContract` against it.
 */
import type { ChunkRef } from "./Job.ts"

/** How refs are sent. */
export interface EnqueueOptions {
  /** Milliseconds before which they are not delivered. Default 0. */
  readonly delayMs?: number | undefined
  /** The client library's open transaction, where the queue is in the same database: they are sent if it commits. */
  readonly transaction?: unknown
}

/** One delivery of a ref. */
export interface Delivery {
  readonly ref: ChunkRef
  /** Fires when the worker is to stop, or when the queue has given the ref to another. */
  readonly signal: AbortSignal
  /**
   * Marks the ref as done inside of a transaction, so that both happen or neither does; undefined where the queue cannot.
   * What the handler answers afterwards has no effect.
   */
  readonly complete: ((transaction: unknown) => Promise<void>) | undefined
}

/** What consumes a queue. */
export interface ChunkHandlers {
  /** Runs a chunk. If it rejects, the ref is delivered again, a bounded number of times, after a growing pause. */
  readonly run: (delivery: Delivery) => Promise<void>
  /**
   * Told of a ref that the queue has given up: it rejected too often, or killed its workers. If it rejects, it is told
   * again later, or by nobody: whoever sweeps the store finds the chunk silent.
   */
  readonly dead: (ref: ChunkRef) => Promise<void>
}

/** A consumer at work. */
export interface ChunkConsumer {
  /**
   * Takes nothing more, and waits for what runs, at most so long; then its signals fire, and it waits a moment more. What
   * has not ended by then is delivered to others.
   */
  readonly close: (timeoutMs: number) => Promise<void>
}

/**
 * A queue of refs.
 *
 * **Details** `enqueue` is idempotent: a ref that waits already is not sent twice. A ref is delivered at least once, also
 * when its worker was killed: within some 15 seconds, to another. Refs are delivered roughly in the order they were sent.
 * `forget` is a courtesy: a forgotten ref may be delivered all the same.
 */
export interface ChunkQueue {
  /** Whether what it holds dies with this process. */
  readonly isVolatile: boolean
  /** Whether `enqueue` takes part in transactions, and deliveries can be completed in one. */
  readonly isTransactional: boolean
  /**
   * Called before this process runs anything, and again after it rejected: a queue that serves one process at a time
   * rejects while there is another.
   */
  readonly prepare?: (() => Promise<void>) | undefined
  readonly enqueue: (refs: ReadonlyArray<ChunkRef>, options?: EnqueueOptions) => Promise<void>
  /** Begins to deliver refs, so many at once. */
  readonly consume: (handlers: ChunkHandlers, concurrency: number) => Promise<ChunkConsumer>
  readonly forget: (refs: ReadonlyArray<ChunkRef>) => Promise<void>
  /** Lets go of connections, for good: nothing is sent any more. Consumers are closed before. */
  readonly close: () => Promise<void>
}
