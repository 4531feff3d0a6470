/**
 * Starts server programs as child processes.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { setTimeout as delay } from "node:timers/promises"

/** A running program that listens at `origin`. */
export interface Server {
  readonly origin: string
  readonly close: () => Promise<void>
}

/** Starts a program that reads its port from `PORT`, and waits until it answers. */
export const start = async (
  program: string,
  environment: Readonly<Record<string, string>> = {},
  port = 0,
): Promise<Server> => {
  const PORT = String(port === 0 ? await freePort() : port)
  const child = spawn(process.execPath, [program], {
    env: { PATH: process.env["PATH"], ...environment, PORT },
    stdio: ["ignore", "ignore", "inherit"],
  })
  const ended = once(child, "exit")
  const origin = `http://127.0.0.1:${PORT}`
  for (let attempt = 0; !(await answers(origin)); attempt++) {
    if (child.exitCode !== null || attempt > 400) throw new Error(`${program} does not listen at ${origin}`)
    await delay(25)
  }
  return {
    origin,
    close: async () => {
      child.kill()
      await ended
    },
  }
}

const answers = (origin: string): Promise<boolean> =>
  fetch(origin).then(
    () => true,
    () => false,
  )

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, "close")
  return port
}
