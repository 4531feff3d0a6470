import { spawn } from "node:child_process"
import { once } from "node:events"
import { createRequire } from "node:module"
import { createInterface } from "node:readline"
import { text } from "node:stream/consumers"

/** A running server of the demo. */
export interface RunningServer extends AsyncDisposable {
  readonly origin: string
  /** Kills the process, as a crash would. */
  readonly kill: () => Promise<void>
}

/**
 * Starts the reference server as a process on a free port; disposing of it stops the process. It is empty and in memory by
 * default.
 */
export const startServer = async (environment: Readonly<Record<string, string>> = {}): Promise<RunningServer> => {
  const main = createRequire(import.meta.url).resolve("@multistatus/example-server/main")
  const child = spawn(process.execPath, [main], {
    // The default quota per minute is smaller than the import.
    env: { ...process.env, PORT: "0", DATABASE_URL: "sqlite::memory:", QUOTA: "10000000", ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  })
  const ended = once(child, "exit")
  // Its start message is of no interest here; an error is.
  const printed = text(child.stderr)
  const orphaned = () => child.kill()
  process.once("exit", orphaned)
  const [line] = (await Promise.race([once(createInterface(child.stdout), "line"), ended])) as [unknown]
  const origin = /^listening on (http:\/\/\S+)$/.exec(String(line))?.[1]
  if (origin === undefined) throw new Error(`The server did not start: ${await printed}`)
  return {
    origin,
    kill: async () => {
      process.removeListener("exit", orphaned)
      child.kill("SIGKILL")
      await ended
    },
    [Symbol.asyncDispose]: async () => {
      process.removeListener("exit", orphaned)
      child.kill("SIGTERM")
      await ended
    },
  }
}
