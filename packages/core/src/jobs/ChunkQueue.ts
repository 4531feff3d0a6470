/**
 * Tells workers which chunks are due. Any queue with at-least-once delivery can be used, because the store is the source of
 * truth.
 *
 * To add a queue, implement `ChunkQueue` and run `ChunkQueueContract` against it.
 */
import type { ChunkRef } from "./Job.ts"

/** How refs are enqueued. */
export interface EnqueueOptions {
  /** Milliseconds before they are delivered. Default 0. */
  readonly delayMs?: number | undefined
  /** The client library's open transaction: the refs are enqueued when it commits. Only if `isTransactional`. */
  readonly transaction?: unknown
}

/** One delivery of a ref. */
export interface Delivery {
  readonly ref: ChunkRef
  /** Aborted when the worker has to stop, or when the queue has redelivered the ref to another worker. */
  readonly signal: AbortSignal
  /**
   * Completes the delivery inside a transaction, so that both commit or neither does. The result of the handler has no
   * effect then. Undefined if the queue is not transactional.
   */
  readonly complete: ((transaction: unknown) => Promise<void>) | undefined
}

/** The handlers of a consumer. */
export interface ChunkHandlers {
  /** Runs a chunk. If it rejects, the ref is redelivered a limited number of times, with exponential backoff. */
  readonly run: (delivery: Delivery) => Promise<void>
  /**
   * Called with a ref that the queue has given up, because it was rejected too often or killed its workers. If this rejects,
   * it may be called again. If it is not, the chunk is found as overdue.
   */
  readonly dead: (ref: ChunkRef) => Promise<void>
}

/** A running consumer. */
export interface ChunkConsumer {
  /**
   * Stops taking refs and waits for running handlers, at most `timeoutMs` milliseconds. Then it aborts their signals and waits
   * a moment more. Refs that are still running are redelivered to other workers.
   */
  readonly close: (timeoutMs: number) => Promise<void>
}

/**
 * A queue of refs.
 *
 * **Details** `enqueue` is idempotent: a ref that waits is not enqueued twice. A ref is delivered at least once; if its worker
 * is killed, it is redelivered to another within about 15 seconds. Refs are delivered roughly in the order in which they
 * were enqueued. `forget` is best effort: a forgotten ref may still be delivered.
 */
export interface ChunkQueue {
  /** Whether the queue loses its refs when this process ends. */
  readonly isVolatile: boolean
  /** Whether refs can be enqueued, and deliveries completed, in a transaction. */
  readonly isTransactional: boolean
  /**
   * Called before this process consumes, and called again if it rejects. A queue that serves only one process rejects while
   * another process uses it.
   */
  readonly prepare?: (() => Promise<void>) | undefined
  readonly enqueue: (refs: ReadonlyArray<ChunkRef>, options?: EnqueueOptions) => Promise<void>
  /** Starts to deliver refs, at most `concurrency` at once. */
  readonly consume: (handlers: ChunkHandlers, concurrency: number) => Promise<ChunkConsumer>
  readonly forget: (refs: ReadonlyArray<ChunkRef>) => Promise<void>
  /** Closes the connections. Consumers must be closed before. Nothing can be enqueued afterwards. */
  readonly close: () => Promise<void>
}
