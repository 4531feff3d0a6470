/** Options of a queue on BullMQ. They name no type of BullMQ, so that applications without jobs need not install it. */

/** Options of the queue. */
export interface BullmqOptions {
  /** The prefix of all keys, without braces; the queue adds them. Default `multistatus`. */
  readonly prefix?: string | undefined
  /** Name of the queue, without colons. Default `chunks`. */
  readonly name?: string | undefined
  /** Time without a sign of life after which a worker is thought dead, in milliseconds. Default 10,000. */
  readonly lockMs?: number | undefined
  /** Interval between two searches for dead workers, in milliseconds. Default 1,000. */
  readonly stalledCheckMs?: number | undefined
  /** Maximum number of deliveries of a chunk whose handler rejects. Default 10. */
  readonly attempts?: number | undefined
  /** Time before the first redelivery, in milliseconds; each further delay is twice as long. Default 500. */
  readonly backoffMs?: number | undefined
  /** Called with errors outside of any call, such as a lost connection. Default: `process.emitWarning`. */
  readonly onError?: ((error: Error) => void) | undefined
  /** The backend of BullMQ. Default: Redis, with connections of the queue's own. */
  readonly backend?: BullmqBackend | undefined
}

/** Another backend of BullMQ, such as that of `createPostgresBackend`. Experimental. */
export interface BullmqBackend {
  /** A `BackendFactory` of BullMQ. */
  readonly factory: (...args: Array<never>) => unknown
  /** The connection that the factory takes. */
  readonly connection: unknown
}
