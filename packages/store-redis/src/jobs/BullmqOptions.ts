/** How a queue on BullMQ is made. Names no type of BullMQ, so that whoever has no jobs need not install it. */
import {
  anyFunction,
  duration,
  type DurationInput,
  objectWith,
  type OptionGroup,
  text,
  wholeNumber,
} from "@multistatus/core/store"

/** How a queue behaves. */
export interface BullmqOptions {
  /** What all keys begin with, in braces; without braces. Default `multistatus`. */
  readonly prefix?: string | undefined
  /** Name of the queue; without colons. Default `chunks`. */
  readonly name?: string | undefined
  /** How long a worker may stay silent before it counts as dead. Default `"10 seconds"`. */
  readonly lockDuration?: DurationInput | undefined
  /** How often the queue looks for dead workers. Default `"1 second"`. */
  readonly stalledInterval?: DurationInput | undefined
  /** How often a chunk is delivered whose handler rejects. Default 10. */
  readonly attempts?: number | undefined
  /** Delay before the second delivery of a chunk; it doubles with each further one. Default `"500 millis"`. */
  readonly backoff?: DurationInput | undefined
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
