/** Options of a queue on BullMQ. They name no type of BullMQ, so that applications without jobs need not install it. */
import {
  anyFunction,
  duration,
  type DurationInput,
  objectWith,
  type OptionGroup,
  text,
  wholeNumber,
} from "@multistatus/core/store"

/** Options of the queue. */
export interface BullmqOptions {
  /** The prefix of all keys, without braces; the queue adds them. Default `multistatus`. */
  readonly prefix?: string | undefined
  /** Name of the queue, without colons. Default `chunks`. */
  readonly name?: string | undefined
  /** Time without a heartbeat after which a worker counts as dead. Default `"10 seconds"`. */
  readonly lockDuration?: DurationInput | undefined
  /** Interval between two searches for dead workers. Default `"1 second"`. */
  readonly stalledInterval?: DurationInput | undefined
  /** Maximum number of deliveries of a chunk whose handler rejects. Default 10. */
  readonly attempts?: number | undefined
  /** Delay before the second delivery of a chunk; it doubles with each further one. Default `"500 millis"`. */
  readonly backoff?: DurationInput | undefined
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

const page = "jobs.md"

/** Definitions of the options of a queue on BullMQ. */
export const bullmqOptions = {
  prefix: { type: text("a non-empty string without braces", /^[^{}]+$/), default: "multistatus", page },
  name: { type: text("a non-empty string without colons", /^[^:]+$/), default: "chunks", page },
  lockDuration: { type: duration({ minimum: 100 }), default: "10 seconds", page },
  stalledInterval: { type: duration({ minimum: 100 }), default: "1 second", page },
  attempts: { type: wholeNumber(), default: 10, page },
  backoff: { type: duration(), default: "500 millis", page },
  onError: { type: anyFunction(), page },
  backend: { type: objectWith("BullmqBackend", ["factory"]), page },
} satisfies OptionGroup<BullmqOptions>
