import { exec, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { Agent, get } from "node:http"
import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { promisify } from "node:util"

import { describe, expect, it } from "vitest"

import { variables } from "../src/Configuration.ts"

const main = join(import.meta.dirname, "../src/main.ts")

const run = (environment: Record<string, string>, ...args: ReadonlyArray<string>) => {
  const child = spawn(process.execPath, [main, ...args], {
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
  it("prints one line to standard output when it is ready, and ends with 0 on SIGTERM and SIGINT", async () => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      const server = run({ FRAMEWORK, PORT: "0" })
      const origin = await server.listening
      expect((await fetch(`${origin}/health`)).status).toBe(200)
      server.child.kill(signal)
      expect(await server.ended).toMatchObject({ code: 0, signal: null, stdout: `listening on ${origin}\n` })
    }
  })

  it("prints its endpoints, its API key, where its data live, and a command that works when it is pasted", async () => {
    const server = run({ FRAMEWORK, PORT: "0" })
    const origin = await server.listening
    await fetch(origin)
    server.child.kill("SIGTERM")
    const { stderr } = await server.ended
    const lines = stderr.trimEnd().split("\n")
    expect(lines).toHaveLength(9)
    expect(stderr).toContain("POST /api/v1/users/batch")
    expect(stderr).toContain("X-Api-Key: demo")
    expect(stderr).toContain("Users: SQLite in memory, lost when the server stops (set DATABASE_URL to keep them)")

    const command = lines.at(-1)!
    expect(command).toContain(`curl -i ${origin}/api/v1/users/bulk-create`)
    const next = run({ FRAMEWORK, PORT: new URL(origin).port })
    await next.listening
    const { stdout } = await promisify(exec)(command)
    expect(stdout).toMatch(/^HTTP\/1.1 207 /)
    expect(JSON.parse(stdout.slice(stdout.indexOf("{")))).toMatchObject({ status: "partial", succeeded: 1, failed: 1 })
    next.child.kill("SIGTERM")
    await next.ended
  })

  it("answers the requests in flight before it ends, and closes idle connections", async () => {
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
    expect(await server.ended).toMatchObject({ code: 0 })
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

describe("--help", () => {
  it.each([[["--help"]], [["--", "-h"]]])("lists every environment variable: %j", async (args) => {
    const { code, stdout, stderr } = await run({ PORT: "http" }, ...args).ended
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
    for (const { name, meaning } of Object.values(variables)) {
      expect(stdout).toContain(`\n  ${name.padEnd(19)}${meaning}.\n`)
    }
  })
})

describe("the server's process refuses to start", () => {
  it.each([
    [{ PORT: "http" }, "PORT=http is not valid: expected a whole number from 0 to 65535\n"],
    [
      { DATABASE_URL: "oracle://db/app" },
      /^DATABASE_URL=oracle:\/\/db\/app is not valid: .*sqlite:<file>.*postgres.*\n$/,
    ],
    [{ DATABASE_URL: "sqlite:/nowhere/users.db" }, /^DATABASE_URL is not usable: .*sqlite:\/nowhere\/users\.db: .+\n$/],
    [
      { DATABASE_URL: "postgres://u:secret@127.0.0.1:1/app" },
      /^DATABASE_URL is not usable: .*postgres:\/\/u:\*\*\*@127\.0\.0\.1:1\/app: .*ECONNREFUSED 127\.0\.0\.1:1\. .+\n$/,
    ],
    [
      { REDIS_URL: "redis://u:secret@127.0.0.1:1" },
      /^REDIS_URL=redis:\/\/u:\*\*\*@127\.0\.0\.1:1 does not answer: .+ Start a Redis server there, or unset REDIS_URL\n$/,
    ],
  ])("with %j", async (environment, message) => {
    const { code, stdout, stderr } = await run({ PORT: "0", ...environment }).ended
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" })
    expect(stderr).toMatch(message)
    expect(stderr.split("\n")).toHaveLength(2)
  })

  it("with an option that it does not know", async () => {
    const { code, stderr } = await run({}, "--port=80").ended
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining("'--port'") })
  })

  it.each(["fastify", "express"])("on a port that another process listens on (%s)", async (FRAMEWORK) => {
    const other = createServer().listen(0, "127.0.0.1")
    await once(other, "listening")
    const PORT = String((other.address() as AddressInfo).port)
    const { code, stdout, stderr } = await run({ FRAMEWORK, PORT }).ended
    other.close()
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" })
    expect(stderr).toMatch(new RegExp(`^PORT=${PORT} is not available: another process listens on it\\. .+\n$`))
  })
})
