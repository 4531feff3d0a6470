/** How BullMQ is set up to carry chunks. */
import type * as Bullmq from "bullmq"
import { checkOptions, settingsOf } from "@multistatus/core/store"
import { type BullmqOptions, bullmqOptions } from "./BullmqOptions.ts"

/** Options that are complete and checked. */
export interface BullmqSettings {
  readonly name: string
  readonly onError: (error: Error) => void
  readonly load: () => Promise<LoadedBullmq>
  /** What a backend that was given takes for its connection. */
  readonly connection: Bullmq.ConnectionOptions | undefined
  readonly queue: Omit<Bullmq.QueueOptions, "connection">
  readonly worker: Omit<Bullmq.WorkerOptions, "connection">
}

/** What is used of BullMQ. */
export interface LoadedBullmq extends Pick<typeof Bullmq, "Queue" | "Worker"> {
  readonly factory: Bullmq.BackendFactory
}

export const settleBullmqOptions = (options: BullmqOptions): BullmqSettings => {
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
  // A cluster keeps what belongs to a queue in one slot.
  const common = { prefix: `{${prefix}}` }
  return {
    name,
    onError,
    load: () => load(backend?.factory as Bullmq.BackendFactory | undefined),
    connection: backend?.connection as Bullmq.ConnectionOptions | undefined,
    queue: {
      ...common,
      skipWaitingForReady: true,
      // Nobody reads the events; what a job did is in the store.
      streams: { events: { maxLen: 100 } },
      defaultJobOptions: {
        attempts,
        backoff: { type: "exponential", delay: backoffMs },
        removeOnComplete: true,
        // And a ref that failed for good can be sent again.
        removeOnFail: true,
        stackTraceLimit: 1,
      },
    },
    worker: {
      ...common,
      lockDuration: lockDurationMs,
      stalledInterval: stalledIntervalMs,
      maxStalledCount: 3,
      // Seconds that an idle worker waits to be woken. One that was stopped is woken in place of others.
      drainDelay: 1,
    },
  }
}

const load = async (factory: Bullmq.BackendFactory | undefined): Promise<LoadedBullmq> => {
  try {
    const { Queue, Worker, createRedisBackend } = await import("bullmq")
    return { Queue, Worker, factory: factory ?? createRedisBackend }
  } catch (cause) {
    throw new Error("Jobs on Redis need the package bullmq, version 6, and it cannot be loaded: npm install bullmq", {
      cause,
    })
  }
}

/** A connection that is down says the same over and over. */
const warnOnce = (): ((error: Error) => void) => {
  let last = ""
  return ({ message }) => {
    if (message !== last) process.emitWarning(message, "MultistatusWarning")
    last = message
  }
}
