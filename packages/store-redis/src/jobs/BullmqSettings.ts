/** How BullMQ is set up to carry chunks. */
import type * as Bullmq from "bullmq"
import type { BullmqOptions } from "./BullmqOptions.ts"

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

export const settleBullmqOptions = ({
  prefix = "multistatus",
  name = "chunks",
  lockMs = 10_000,
  stalledCheckMs = 1_000,
  attempts = 10,
  backoffMs = 500,
  onError = warnOnce(),
  backend,
}: BullmqOptions): BullmqSettings => {
  if (/[{}]/.test(prefix)) throw new Error(`A prefix holds no braces, unlike ${JSON.stringify(prefix)}`)
  if (name === "" || name.includes(":"))
    throw new Error(`A queue's name holds no colons, unlike ${JSON.stringify(name)}`)
  for (const [option, [value, least]] of Object.entries({
    lockMs: [lockMs, 100],
    stalledCheckMs: [stalledCheckMs, 100],
    attempts: [attempts, 1],
    backoffMs: [backoffMs, 1],
  } as const)) {
    if (!Number.isInteger(value) || value < least)
      throw new Error(`${option} is an integer from ${least} on, not ${value}`)
  }
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
      lockDuration: lockMs,
      stalledInterval: stalledCheckMs,
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
