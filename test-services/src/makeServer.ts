/** A `Server` from the processes it consists of. */
import { rm } from "node:fs/promises"
import * as Guardian from "./Guardian.ts"
import type { Server } from "./Server.ts"
import type { ServerProcess } from "./ServerProcess.ts"

/** What a product says about the server it starts. */
export interface Parts {
  readonly url: string
  readonly port: number
  readonly directory: string
  readonly processes: ReadonlyArray<ServerProcess>

  /** The signal that ends it at once and still gives back what the operating system holds for it. */
  readonly abortSignal: NodeJS.Signals
}

/** Starts the processes, puts them in the guardian's care and answers with their handle. */
export const makeServer = async ({ abortSignal, directory, port, processes, url }: Parts): Promise<Server> => {
  const watch = () =>
    Guardian.watch({
      directory,
      signal: abortSignal,
      pids: processes.flatMap(({ pid }) => (pid === undefined ? [] : [pid])),
    })
  const start = async () => {
    const starts = processes.map((process) => process.start())
    // The process ids are known before the servers answer; a test killed in between must not leave them behind.
    watch()
    await Promise.all(starts)
  }
  const stop = async () => {
    await Promise.all(processes.map((process) => process.stop()))
    await rm(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
    Guardian.release(directory)
  }
  try {
    await start()
  } catch (error) {
    await stop()
    throw error
  }
  return {
    url,
    port,
    stop,
    [Symbol.asyncDispose]: stop,
    kill: async (signal = "SIGKILL") => {
      await Promise.all(processes.map((process) => process.kill(signal)))
      watch()
    },
    restart: start,
    pause: async () => processes.forEach((process) => process.pause()),
    resume: async () => processes.forEach((process) => process.resume()),
  }
}
