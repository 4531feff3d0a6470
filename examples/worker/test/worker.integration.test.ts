import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { createRequire } from "node:module"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { setTimeout as delay } from "node:timers/promises"
import { freshDatabase, startRedis } from "@multistatus/test-services"
import { describe, expect, inject, it, onTestFinished } from "vitest"

type Environment = Readonly<Record<string, string>>

const serverMain = createRequire(import.meta.url).resolve("@multistatus/example-server/main")
const workerMain = join(import.meta.dirname, "../src/main.ts")

/** Starts a program; returns its process and the first line that it prints. */
const start = async (program: string, environment: Environment): Promise<readonly [ChildProcess, string]> => {
  const child = spawn(process.execPath, [program], {
    env: {
      PATH: process.env["PATH"],
      NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"],
      PORT: "0",
      ...environment,
    },
    stdio: ["ignore", "pipe", "inherit"],
  })
  onTestFinished(() => void child.kill("SIGKILL"))
  const exited = once(child, "exit").then(([code]) => Promise.reject(new Error(`${program} ended with ${code}`)))
  const [line] = await Promise.race([once(child.stdout, "data"), exited])
  exited.catch(() => {})
  return [child, String(line).trim()]
}

/** A server that runs no jobs itself. */
const startServer = async (environment: Environment) => {
  const [child, line] = await start(serverMain, { ...environment, WORKERS: "0" })
  return { child, origin: line.replace("listening on ", "") }
}

const startWorker = async (environment: Environment): Promise<ChildProcess> => (await start(workerMain, environment))[0]

/** Submits a job that creates users, in chunks of 100 (`JOB_CHUNK`); returns its location. */
const submit = async (origin: string, count: number, mark: string): Promise<string> => {
  const users = Array.from({ length: count }, (_, n) => ({ name: `${mark} ${n}`, email: `${mark}.${n}@example.com` }))
  const answer = await fetch(`${origin}/api/v1/users/bulk-create`, {
    method: "POST",
    headers: { "content-type": "application/json", prefer: "respond-async" },
    body: JSON.stringify({ users }),
  })
  expect(answer.status).toBe(202)
  return answer.headers.get("location")!
}

interface Monitor {
  readonly status: string
  readonly completed: number
  readonly succeeded: number
}

const look = async (origin: string, location: string): Promise<Monitor> =>
  (await fetch(`${origin}${location}`)).json() as Promise<Monitor>

const ended = async (origin: string, location: string): Promise<Monitor> => {
  for (;;) {
    const monitor = await look(origin, location)
    if (monitor.status !== "queued" && monitor.status !== "running") return monitor
    await delay(50)
  }
}

const stores = {
  PostgreSQL: async () => ({ DATABASE_URL: await freshDatabase(inject("postgresUrl")), JOB_CHUNK: "100" }),
  "Redis, and users in PostgreSQL": async () => {
    const redis = await startRedis({ durable: true })
    onTestFinished(() => redis.stop())
    return { REDIS_URL: redis.url, DATABASE_URL: await freshDatabase(inject("postgresUrl")), JOB_CHUNK: "100" }
  },
}

describe.each(Object.entries(stores))("on %s", (_, environmentOf) => {
  it("workers run a job whose server was killed right after it accepted it, and another server answers for it", async () => {
    const environment = await environmentOf()
    const first = await startServer({ ...environment, FRAMEWORK: "express" })
    const location = await submit(first.origin, 1000, "kept")
    first.child.kill("SIGKILL")
    const second = await startServer({ ...environment, FRAMEWORK: "fastify" })
    expect(await look(second.origin, location)).toMatchObject({ status: "queued" })
    const worker = await startWorker(environment)
    expect(await ended(second.origin, location)).toMatchObject({ status: "succeeded", succeeded: 1000 })
    worker.kill("SIGTERM")
    expect(await once(worker, "exit")).toEqual([0, null])
  })

  it("two workers share the jobs of two servers, any of which answers for any job", async () => {
    const environment = await environmentOf()
    const servers = await Promise.all(
      ["express", "fastify"].map((framework) => startServer({ ...environment, FRAMEWORK: framework })),
    )
    await Promise.all([startWorker(environment), startWorker(environment)])
    const [one, two] = servers.map(({ origin }) => origin) as [string, string]
    const [first, second] = await Promise.all([submit(one, 1000, "first"), submit(two, 1000, "second")])
    for (const [origin, location] of [
      [two, first],
      [one, second],
      [one, first],
      [two, second],
    ] as const) {
      expect(await ended(origin, location)).toMatchObject({ status: "succeeded", succeeded: 1000 })
    }
  })
})

it("a worker without a shared store says what to set", async () => {
  const child = spawn(process.execPath, [workerMain], { env: {}, stdio: ["ignore", "ignore", "pipe"] })
  const [said, [code]] = await Promise.all([text(child.stderr), once(child, "exit")])
  expect({ code, said }).toEqual({ code: 1, said: expect.stringContaining("set REDIS_URL") })
})
