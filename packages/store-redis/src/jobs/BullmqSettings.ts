/** The settings of BullMQ: options with their defaults, checked. */
import type * as Bullmq from "bullmq"
import { checkOptions, settingsOf } from "@multistatus/core/store"
import { type BullmqOptions, bullmqOptions } from "./BullmqOptions.ts"

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

export const resolveBullmqOptions = (options: BullmqOptions): BullmqSettings => {
  checkOptions(bullmqOptions, options)
  const {
    prefix,
    name,
    lockDurationMs,
    stalledIntervalMs,
    attempts,
    backoffMs,
    backend,
    onError = warnOnce(),
  } = settingsOf(bullmqOptions, options)
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
      lockDuration: lockDurationMs,
      stalledInterval: stalledIntervalMs,
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
