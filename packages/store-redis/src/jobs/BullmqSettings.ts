/** The settings of BullMQ: options with their defaults, checked. */
import type * as Bullmq from "bullmq"
import type { BullmqOptions } from "./BullmqOptions.ts"

/** Settings of a queue. */
export interface BullmqSettings {
  readonly name: string
  readonly onError: (error: Error) => void
  readonly load: () => Promise<LoadedBullmq>
  /** The connection of a backend that was configured; undefined for Redis. */
  readonly connection: Bullmq.ConnectionOptions | undefined
  readonly queue: Omit<Bullmq.QueueOptions, "connection">
  readonly worker: Omit<Bullmq.WorkerOptions, "connection">
}

/** The parts of BullMQ that are used. */
export interface LoadedBullmq extends Pick<typeof Bullmq, "Queue" | "Worker"> {
  readonly factory: Bullmq.BackendFactory
}

/** Checks options and fills in defaults. Throws if an option is wrong. */
export const resolveBullmqOptions = ({
  prefix = "multistatus",
  name = "chunks",
  lockMs = 10_000,
  stalledCheckMs = 1_000,
  attempts = 10,
  backoffMs = 500,
  onError = warnOnce(),
  backend,
}: BullmqOptions): BullmqSettings => {
  if (/[{}]/.test(prefix)) {
    throw new Error(
      `"prefix" must not contain braces, which the queue adds: remove them from ${JSON.stringify(prefix)}`,
    )
  }
  if (name === "" || name.includes(":")) {
    throw new Error(`"name" must not be empty or contain colons, unlike ${JSON.stringify(name)}`)
  }
  for (const [option, [value, minimum]] of Object.entries({
    lockMs: [lockMs, 100],
    stalledCheckMs: [stalledCheckMs, 100],
    attempts: [attempts, 1],
    backoffMs: [backoffMs, 1],
  } as const)) {
    if (!Number.isInteger(value) || value < minimum) {
      throw new Error(`"${option}" must be a whole number of at least ${minimum}, not ${value}`)
    }
  }
  // The braces keep all keys of a queue in one slot of a cluster.
  const common = { prefix: `{${prefix}}` }
  return {
    name,
    onError,
    load: () => load(backend?.factory as Bullmq.BackendFactory | undefined),
    connection: backend?.connection as Bullmq.ConnectionOptions | undefined,
    queue: {
      ...common,
      skipWaitingForReady: true,
      // Nobody reads the events: the results are in the store.
      streams: { events: { maxLen: 100 } },
      defaultJobOptions: {
        attempts,
        backoff: { type: "exponential", delay: backoffMs },
        removeOnComplete: true,
        // So that a ref that was given up can be enqueued again.
        removeOnFail: true,
        stackTraceLimit: 1,
      },
    },
    worker: {
      ...common,
      lockDuration: lockMs,
      stalledInterval: stalledCheckMs,
      maxStalledCount: 3,
      // Seconds that an idle worker blocks. A short time, because a worker that was just killed may be woken instead of another.
      drainDelay: 1,
    },
  }
}

const load = async (factory: Bullmq.BackendFactory | undefined): Promise<LoadedBullmq> => {
  try {
    const { Queue, Worker, createRedisBackend } = await import("bullmq")
    return { Queue, Worker, factory: factory ?? createRedisBackend }
  } catch (cause) {
    throw new Error("Jobs on Redis need the package bullmq, version 6, which could not be loaded: npm install bullmq", {
      cause,
    })
  }
}

/** Emits a warning unless it repeats: a lost connection reports the same error again and again. */
const warnOnce = (): ((error: Error) => void) => {
  let last = ""
  return ({ message }) => {
    if (message !== last) process.emitWarning(message, "MultistatusWarning")
    last = message
  }
}
