import { spawn } from "node:child_process"
import { once } from "node:events"
import { createRequire } from "node:module"
import { createInterface } from "node:readline"

/**
 * A server of the demo's own.
 *
 * @category models
 * @since 0.1.0
 */
export interface RunningServer extends AsyncDisposable {
  readonly origin: string
}

/**
 * Starts the reference server as a process of its own: empty, in memory, on a free port, until it is disposed of.
 *
 * @category constructors
 * @since 0.1.0
 */
export const startServer = async (): Promise<RunningServer> => {
  const main = createRequire(import.meta.url).resolve("@multistatus/example-server/main")
  const child = spawn(process.execPath, [main], {
    // The default quota of a minute is smaller than the import.
    env: { ...process.env, PORT: "0", DATABASE_URL: "sqlite::memory:", QUOTA: "10000000" },
    stdio: ["ignore", "pipe", "inherit"],
  })
  const ended = once(child, "exit")
  const orphaned = () => child.kill()
  process.once("exit", orphaned)
  const [line] = (await Promise.race([once(createInterface(child.stdout), "line"), ended])) as [unknown]
  const origin = /^listening on (http:\/\/\S+)$/.exec(String(line))?.[1]
  if (origin === undefined) throw new Error("The server did not start")
  return {
    origin,
    [Symbol.asyncDispose]: async () => {
      process.removeListener("exit", orphaned)
      child.kill("SIGTERM")
      await ended
    },
  }
}
