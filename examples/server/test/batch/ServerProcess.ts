/** The reference server as a process of its own, as a newcomer starts it. */
import assert from "node:assert/strict"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { text } from "node:stream/consumers"

const main = join(import.meta.dirname, "../../src/main.ts")

/** How a server ended, and all that it wrote. */
export interface Ended {
  readonly code: unknown
  readonly signal: unknown
  readonly stdout: string
  readonly stderr: string
}

/** A server that listens. */
export interface ServerProcess {
  readonly origin: string
  readonly port: number
  readonly pid: number
  readonly kill: (signal: NodeJS.Signals) => void
  readonly ended: Promise<Ended>
  /** Tells it to stop; fails unless it then ends as it ought to, having said nothing but that it listens. */
  readonly stop: () => Promise<Ended>
}

export const frameworks = ["express", "fastify"] as const
export type Framework = (typeof frameworks)[number]

/** Gives each name one of the frameworks in turn, for tests whose subject does not depend on the framework. */
export const takingTurns = (names: ReadonlyArray<string>) =>
  names.map((name, index) => ({ name, framework: frameworks[index % frameworks.length]! }))

/** Starts a server on a free port and waits until it listens. */
export const startServer = (
  framework: Framework,
  environment: Readonly<Record<string, string>> = {},
): Promise<ServerProcess> => startProgram(main, { FRAMEWORK: framework, ...environment })

/** The same for any program that says where it listens, once it does. */
export const startProgram = async (
  program: string,
  environment: Readonly<Record<string, string>>,
): Promise<ServerProcess> => {
  const child = spawn(process.execPath, [program], {
    env: {
      PATH: process.env["PATH"],
      // Starting takes two thirds of the time with the cache of compiled modules.
      NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"],
      PORT: "0",
      ...environment,
    },
    stdio: ["ignore", "pipe", "pipe"],
  })
  const ended = Promise.all([once(child, "exit"), text(child.stdout), text(child.stderr)]).then(
    ([[code, signal], stdout, stderr]: [Array<unknown>, string, string]) => ({ code, signal, stdout, stderr }),
  )
  const origin = await Promise.race([
    once(child.stdout, "data").then(([line]) => String(line).replace("listening on ", "").trim()),
    ended.then(({ stderr }) => Promise.reject(new Error(stderr))),
  ])
  return {
    origin,
    port: Number(new URL(origin).port),
    pid: child.pid!,
    kill: (signal) => void child.kill(signal),
    ended,
    stop: async () => {
      child.kill("SIGTERM")
      const result = await ended
      assert.deepEqual([result.code, result.stdout], [0, `listening on ${origin}\n`], result.stderr)
      return result
    },
  }
}
