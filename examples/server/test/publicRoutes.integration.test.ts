/** The routes that need no API key, over HTTP. */
import { freshDatabase, startProxy, startRedis } from "@multistatus/test-services"
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest"

import { endpoints } from "../src/endpoints.ts"
import { frameworks, type ServerProcess, startServer } from "./batch/ServerProcess.ts"

const get = async (url: string, headers: Record<string, string> = {}) => {
  const response = await fetch(url, { headers })
  const type = response.headers.get("content-type")
  return { status: response.status, type, vary: response.headers.get("vary"), text: await response.text() }
}

describe.each(frameworks)("GET / on %s", (framework) => {
  let server: ServerProcess
  beforeAll(async () => {
    server = await startServer(framework)
  })
  afterAll(() => server.stop())

  it("lists the endpoints, where data live, and an example, as JSON", async () => {
    for (const accept of ["*/*", "application/json", "application/json, text/html;q=0.9", "image/png"]) {
      const { text, ...head } = await get(server.origin, { accept })
      expect(head).toEqual({ status: 200, type: "application/json; charset=utf-8", vary: "Accept" })
      expect(JSON.parse(text)).toEqual({
        name: "Multistatus reference server",
        api_key: expect.stringContaining("X-Api-Key: demo"),
        endpoints,
        data: [
          { data: "Users", place: expect.stringContaining("SQLite in memory") },
          { data: "Idempotency keys, quotas, jobs", place: expect.stringContaining("memory") },
        ],
        example: expect.stringContaining(`curl -i ${server.origin}/api/v1/users/bulk-create`),
      })
    }
  })

  it("is a page for a client that prefers HTML", async () => {
    for (const accept of ["text/html", "text/html,application/xhtml+xml,*/*;q=0.8"]) {
      const { text, ...head } = await get(server.origin, { accept })
      expect(head).toEqual({ status: 200, type: "text/html; charset=utf-8", vary: "Accept" })
      expect(text).toMatch(/^<!doctype html>/)
      expect(text).toContain("<code>/api/v1/users/bulk-create</code>")
      expect(text).toContain(`curl -i ${server.origin}/api/v1/users/bulk-create`)
    }
  })

  it("lists endpoints that exist", async () => {
    for (const { method, path } of endpoints) {
      const response = await fetch(server.origin + path.replace("{id}", "u_1"), { method })
      const text = await response.text()
      expect(text, `${method} ${path}`).not.toContain("Nothing answers")
      expect(response.status, `${method} ${path}`).not.toBe(405)
    }
  })

  it("is open to every caller", async () => {
    for (const path of ["/", "/health", "/ready"]) {
      expect((await get(server.origin + path, { "x-api-key": "blocked" })).status).toBe(200)
    }
  })
})

describe.each(frameworks)("the probes on %s", (framework) => {
  it("GET /health answers while the process serves, GET /ready tells which store does not answer", async () => {
    const redis = await startRedis({ durable: true })
    await using database = await startProxy(await freshDatabase(inject("postgresUrl")))
    const server = await startServer(framework, { DATABASE_URL: database.url, REDIS_URL: redis.url })
    const ready = async () => {
      const { status, text } = await get(`${server.origin}/ready`)
      return [status, JSON.parse(text)]
    }
    const health = async () => (await get(`${server.origin}/health`)).text

    expect(await ready()).toEqual([200, { status: "ready", stores: { database: "ok", redis: "ok" } }])
    expect(await health()).toBe('{"status":"ok"}')

    database.shut()
    const withoutDatabase = { status: "not ready", stores: { database: "does not answer", redis: "ok" } }
    expect(await ready()).toEqual([503, withoutDatabase])
    expect(await health()).toBe('{"status":"ok"}')
    database.open()
    await expect.poll(ready).toEqual([200, { status: "ready", stores: { database: "ok", redis: "ok" } }])

    await redis.pause()
    const withoutRedis = { status: "not ready", stores: { database: "ok", redis: "does not answer" } }
    expect(await Promise.all([ready(), ready()])).toEqual([
      [503, withoutRedis],
      [503, withoutRedis],
    ])
    await redis.resume()
    await expect
      .poll(ready, { timeout: 10_000 })
      .toEqual([200, { status: "ready", stores: { database: "ok", redis: "ok" } }])
    await server.stop()
    await redis.stop()
  })
})
