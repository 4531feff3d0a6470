import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { Agent, get } from "node:http"
import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { text } from "node:stream/consumers"

import { describe, expect, it } from "vitest"

const main = join(import.meta.dirname, "../src/main.ts")

/** A server that keeps nothing says so when it starts. */
const notice = "jobs run in this process and are lost with it: set REDIS_URL or DATABASE_URL to keep them\n"

const run = (environment: Record<string, string>) => {
  const child = spawn(process.execPath, [main], {
    env: { PATH: process.env["PATH"], ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  })
  const ended = Promise.all([once(child, "exit"), text(child.stdout), text(child.stderr)]).then(
    ([[code, signal], stdout, stderr]: [unknown[], string, string]) => ({ code, signal, stdout, stderr }),
  )
  const listening = new Promise<string>((resolve, reject) => {
    child.stdout.once("data", (line: Buffer) => resolve(String(line).replace("listening on ", "").trim()))
    void ended.then(({ stderr }) => reject(new Error(stderr)))
  })
  listening.catch(() => undefined)
  return { child, ended, listening }
}

describe.each(["fastify", "express"])("the server's process (%s)", (FRAMEWORK) => {
  it("prints one line when it is ready and ends with 0 on SIGTERM and SIGINT", async () => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      const server = run({ FRAMEWORK, PORT: "0" })
      const origin = await server.listening
      expect((await fetch(`${origin}/health`)).status).toBe(200)
      server.child.kill(signal)
      expect(await server.ended).toEqual({ code: 0, signal: null, stdout: `listening on ${origin}\n`, stderr: notice })
    }
  })

  it("answers what is in flight before it ends, and waits for no idle connection", async () => {
    const server = run({ FRAMEWORK, PORT: "0" })
    const origin = await server.listening
    const agent = new Agent({ keepAlive: true })
    const ask = async (path: string) => {
      const [response] = await once(get(origin + path, { agent }), "response")
      return text(response)
    }
    await ask("/health")
    const slow = Promise.all([ask("/api/v1/slow?ms=600"), ask("/api/v1/slow?ms=300")])
    await new Promise((resolve) => setTimeout(resolve, 150))
    const stopped = performance.now()
    server.child.kill("SIGTERM")
    expect(await slow).toEqual(['{"ms":600}', '{"ms":300}'])
    expect(await server.ended).toMatchObject({ code: 0, stderr: notice })
    expect(performance.now() - stopped).toBeLessThan(3000)
    agent.destroy()
  })

  it("keeps users in a file from one start to the next", async () => {
    const directory = await mkdtemp(join(tmpdir(), "example-server-"))
    const environment = { FRAMEWORK, PORT: "0", DATABASE_URL: `sqlite:${join(directory, "users.db")}` }
    const first = run(environment)
    await fetch(`${await first.listening}/api/v1/users`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"name":"Alice"}',
    })
    first.child.kill("SIGTERM")
    await first.ended
    const second = run(environment)
    const list = await fetch(`${await second.listening}/api/v1/users`)
    expect(await list.json()).toMatchObject({ users: [{ name: "Alice" }] })
    second.child.kill("SIGTERM")
    await second.ended
    await rm(directory, { recursive: true })
  })
})

describe("the server's process refuses to start", () => {
  it.each([
    [{ PORT: "http" }, "PORT=http is not accepted: a whole number from 0 to 65535\n"],
    [{ FRAMEWORK: "koa" }, "FRAMEWORK=koa is not accepted: fastify or express\n"],
    [{ DATABASE_URL: "users.db" }, /^DATABASE_URL=users\.db is not accepted: .*sqlite:<file>.*postgres.*\n$/],
    [
      { DATABASE_URL: "postgres://u:secret@127.0.0.1:1/app" },
      /^DATABASE_URL=postgres:\/\/u:\*\*\*@127\.0\.0\.1:1\/app .*ECONNREFUSED 127\.0\.0\.1:1\n$/,
    ],
  ])("with %j", async (environment, message) => {
    const { code, stdout, stderr } = await run({ PORT: "0", ...environment }).ended
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" })
    expect(stderr).toMatch(message)
    expect(stderr.split("\n")).toHaveLength(2)
  })

  it.each(["fastify", "express"])("on a port that is taken (%s)", async (FRAMEWORK) => {
    const other = createServer().listen(0, "127.0.0.1")
    await once(other, "listening")
    const PORT = String((other.address() as AddressInfo).port)
    const { code, stdout, stderr } = await run({ FRAMEWORK, PORT }).ended
    other.close()
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" })
    expect(stderr).toBe(`PORT=${PORT} is not accepted: another process listens there\n`)
  })
})
