/** How a queue on BullMQ is made. Names no type of BullMQ, so that whoever has no jobs need not install it. */

/** How a queue behaves. */
export interface BullmqOptions {
  /** What all keys begin with, in braces; without braces. Default `multistatus`. */
  readonly prefix?: string | undefined
  /** Name of the queue; without colons. Default `chunks`. */
  readonly name?: string | undefined
  /** Milliseconds after which a worker that is not heard of is thought dead. Default 10,000. */
  readonly lockMs?: number | undefined
  /** Milliseconds between two looks for such workers. Default 1,000. */
  readonly stalledCheckMs?: number | undefined
  /** How often a chunk is delivered whose handler rejects. Default 10. */
  readonly attempts?: number | undefined
  /** Milliseconds before it is delivered for the second time; twice as long each time after. Default 500. */
  readonly backoffMs?: number | undefined
  /** Told of what goes wrong outside of any call, such as a broken connection. Default: `process.emitWarning`. */
  readonly onError?: ((error: Error) => void) | undefined
  /** What BullMQ keeps its queue in. Default: Redis, over connections that are made for it. */
  readonly backend?: BullmqBackend | undefined
}

/** Another backend of BullMQ, such as that of `createPostgresBackend`. Experimental. */
export interface BullmqBackend {
  /** A `BackendFactory` of BullMQ. */
  readonly factory: (...args: Array<never>) => unknown
  /** What the factory takes for its connection. */
  readonly connection: unknown
}
