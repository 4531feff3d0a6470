import { spawn } from "node:child_process"
import { once } from "node:events"
import { createRequire } from "node:module"
import { createInterface } from "node:readline"

/** A server of the demo's own. */
export interface RunningServer extends AsyncDisposable {
  readonly origin: string
  /** Ends it as a crash would. */
  readonly kill: () => Promise<void>
}

/**
 * Starts the reference server as a process of its own, on a free port, until it is disposed of: empty and in memory, unless
 * the environment says otherwise.
 */
export const startServer = async (environment: Readonly<Record<string, string>> = {}): Promise<RunningServer> => {
  const main = createRequire(import.meta.url).resolve("@multistatus/example-server/main")
  const child = spawn(process.execPath, [main], {
    // The default quota of a minute is smaller than the import.
    env: { ...process.env, PORT: "0", DATABASE_URL: "sqlite::memory:", QUOTA: "10000000", ...environment },
    // It says there that its jobs are lost with it, which goes without saying here.
    stdio: ["ignore", "pipe", environment["DATABASE_URL"] === undefined ? "ignore" : "inherit"],
  })
  const ended = once(child, "exit")
  const orphaned = () => child.kill()
  process.once("exit", orphaned)
  const [line] = (await Promise.race([once(createInterface(child.stdout), "line"), ended])) as [unknown]
  const origin = /^listening on (http:\/\/\S+)$/.exec(String(line))?.[1]
  if (origin === undefined) throw new Error("The server did not start")
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
