/** Jobs over HTTP, in memory, on Redis and in databases. */
import { createHttpPoller } from "@azure/core-lro"
import { type Server, startRedis } from "@multistatus/test-services"
import { setTimeout as delay } from "node:timers/promises"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Api } from "../batch/Api.ts"
import { Wire } from "../batch/Wire.ts"
import { databases } from "../databases.ts"
import { type ServerProcess, startServer } from "../batch/ServerProcess.ts"
import { creates, ended, type Monitor, results, submit } from "./asking.ts"

// The frameworks are compared on one place; the adapters do not know where jobs are kept.
const cases = [
  ["express", "memory"],
  ["fastify", "memory"],
  ["express", "Redis"],
  ["fastify", "SQLite"],
  ["express", "PostgreSQL"],
] as const

describe.each(cases)("jobs on %s, kept in %s", (framework, place) => {
  let redis: Server | undefined
  let server: ServerProcess
  let api: Api
  beforeAll(async () => {
    redis = place === "Redis" ? await startRedis() : undefined
    const environments = {
      memory: async () => ({}),
      Redis: async () => ({ REDIS_URL: redis!.url }),
      SQLite: async () => ({ DATABASE_URL: await databases.sqlite(), STORE: "sql" }),
      PostgreSQL: async () => ({ DATABASE_URL: await databases.postgres() }),
    }
    const environment = await environments[place]()
    server = await startServer(framework, { ...environment, ASYNC_ABOVE: "500", JOB_CHUNK: "100" })
    api = new Api(server.origin)
  })
  afterAll(async () => {
    api.close()
    await server.stop()
    await redis?.stop()
  })

  it("run a batch to its end, and keep every result", async () => {
    const { body, headers, location } = await submit(api, creates(450, "run", true))
    expect(body).toEqual({ id: expect.stringMatching(/^[\w-]{22}$/), status: "queued", total: 450 })
    expect(headers).toMatchObject({ "retry-after": "1", "preference-applied": "respond-async" })
    expect(location).toBe(`/api/v1/jobs/${(body as Monitor).id}`)
    expect(await ended(api, location)).toMatchObject({ status: "partial", completed: 450, succeeded: 405, failed: 45 })
    const all = await results(api, location)
    expect(all.map(({ index }) => index)).toEqual(Array.from({ length: 450 }, (_, index) => index))
    const failed = await results(api, location, "&status=failed")
    expect(failed.map(({ index, error }) => [index, error?.code])).toEqual(
      Array.from({ length: 45 }, (_, index) => [index * 10, "VALIDATION_ERROR"]),
    )
    const names = new Set(await api.names())
    expect(all.filter(({ index }) => names.has(`run ${index}`)).length).toBe(405)
  })

  it("fail the operation of a line with a NUL byte, and run the others", async () => {
    const lines = creates(3, "nul").map(({ data }) => JSON.stringify(data))
    lines[1] = `{"name":"nul\0"}`
    const headers = { "content-type": "application/x-ndjson" }
    const upload = await api.ask("POST", "/api/v1/users/bulk-create", { body: lines.join("\n"), headers })
    expect(upload.status).toBe(202)
    const location = upload.headers.location!
    expect(await ended(api, location)).toMatchObject({ status: "partial", succeeded: 2, failed: 1 })
    expect(await results(api, location, "&status=failed")).toMatchObject([
      { index: 1, error: { code: "VALIDATION_ERROR" } },
    ])
  })

  it("are made of batches above the limit, and of NDJSON lines", async () => {
    const headers = { "content-type": "application/json" }
    const users = creates(501, "above").map(({ data }) => data)
    const above = await api.ask("POST", "/api/v1/users/bulk-create", { body: { users }, headers })
    expect(above.status).toBe(202)
    expect(await ended(api, above.headers.location!)).toMatchObject({ status: "succeeded", succeeded: 501 })
    const lines = creates(1500, "line").map(({ data }) => JSON.stringify(data))
    lines[700] = "{"
    const body = `${lines.join("\n")}\n`
    const upload = await api.ask("POST", "/api/v1/users/bulk-create", {
      body,
      headers: { "content-type": "application/x-ndjson" },
    })
    expect({ status: upload.status, total: (upload.body as Monitor).total }).toEqual({ status: 202, total: 1500 })
    expect(await ended(api, upload.headers.location!)).toMatchObject({ succeeded: 1499, failed: 1 })
    const [bad] = await results(api, upload.headers.location!, "&status=failed")
    expect(bad).toMatchObject({ index: 700, error: { code: "VALIDATION_ERROR" } })
    const stream = await api.ask("GET", `${upload.headers.location}/results`, {
      headers: { accept: "application/x-ndjson" },
    })
    expect(stream.headers["content-type"]).toBe("application/x-ndjson")
    expect(stream.text.trim().split("\n")).toHaveLength(1500)
  })

  it("answer 304 while nothing has changed", async () => {
    const { location } = await submit(api, creates(1, "tag"))
    await ended(api, location)
    const { headers } = await api.ask("GET", location)
    const again = await api.ask("GET", location, { headers: { "if-none-match": headers.etag! } })
    expect({ status: again.status, text: again.text }).toEqual({ status: 304, text: "" })
  })

  it("leave nothing behind when their upload breaks off", async () => {
    const wire = await Wire.open(server.port)
    const key = { "idempotency-key": `broken-${framework}-${place}` }
    const lines = creates(3000, "broken")
      .map(({ data }) => JSON.stringify(data))
      .join("\n")
    const head = { "content-type": "application/x-ndjson", "transfer-encoding": "chunked", ...key }
    wire.head("/api/v1/users/bulk-create", head).chunk(lines)
    await delay(200)
    wire.vanish()
    await delay(300)
    const headers = { "content-type": "application/x-ndjson", ...key }
    const whole = await api.ask("POST", "/api/v1/users/bulk-create", { body: `{"name":"whole"}\n`, headers })
    expect({ status: whole.status, total: (whole.body as Monitor).total }).toEqual({ status: 202, total: 1 })
    expect(await ended(api, whole.headers.location!)).toMatchObject({ status: "succeeded", succeeded: 1 })
    expect((await api.names()).filter((name) => name.startsWith("broken"))).toEqual([])
  })

  it("get a synchronous answer when they end while the client waits", async () => {
    const { status, body } = await api.ask("POST", "/api/v1/users/bulk-create", {
      body: { users: [{ name: "Wait" }] },
      headers: { prefer: "respond-async, wait=20" },
    })
    expect({ status, body }).toMatchObject({ status: 201, body: { created: 1, users: [{ name: "Wait" }] } })
  })

  it("stop within a second, and keep what was done", async () => {
    const sleeps = Array.from({ length: 400 }, () => ({ action: "sleep", data: { ms: 50 } }))
    const { location } = await submit(api, sleeps)
    await expect.poll(async () => ((await api.ask("GET", location)).body as Monitor).status).toBe("running")
    const stopped = performance.now()
    expect([200, 202]).toContain((await api.ask("DELETE", location)).status)
    const monitor = await ended(api, location)
    expect(performance.now() - stopped).toBeLessThan(1500)
    expect(monitor).toMatchObject({ status: "cancelled", completed: 400 })
    expect(monitor.succeeded).toBeLessThan(400)
    expect((await results(api, location)).at(-1)).toMatchObject({ status: "skipped", error: { code: "CANCELLED" } })
  })

  it("are hidden from other tenants", async () => {
    const { location } = await submit(api, creates(1, "mine"), { "x-api-key": "mine" })
    for (const [method, path] of [
      ["GET", location],
      ["GET", `${location}/results`],
      ["GET", `${location}/events`],
      ["DELETE", location],
    ] as const) {
      const { status, body } = await api.ask(method, path, { headers: { "x-api-key": "yours" } })
      expect({ status, body }).toMatchObject({ status: 404, body: { code: "NOT_FOUND" } })
    }
    expect((await api.ask("GET", location, { headers: { "x-api-key": "mine" } })).status).toBeLessThan(300)
    expect((await api.ask("GET", `/api/v1/jobs/${"A".repeat(22)}`)).status).toBe(404)
  })

  it("stream their events until they are done", async () => {
    const { location } = await submit(
      api,
      Array.from({ length: 200 }, () => ({ action: "sleep", data: { ms: 30 } })),
    )
    const { headers, text } = await api.ask("GET", `${location}/events`)
    expect(headers["content-type"]).toBe("text/event-stream")
    const events = text.trim().split("\n\n")
    expect(events.length).toBeGreaterThan(2)
    expect(events.at(-1)).toMatch(/^event: done\ndata: \{.*"status":"succeeded"/)
  })

  it("are made once for one idempotency key", async () => {
    const key = { "idempotency-key": "job-once" }
    const operations = creates(5, "once")
    const [first, second] = await Promise.all([submit(api, operations, key), submit(api, operations, key)])
    expect(second.location).toBe(first.location)
    await ended(api, first.location)
    expect((await api.names()).filter((name) => name.startsWith("once "))).toHaveLength(5)
  })

  it("let a small job finish that was submitted after a large one", async () => {
    const large = await submit(
      api,
      Array.from({ length: 500 }, () => ({ action: "sleep", data: { ms: 60 } })),
    )
    const small = await submit(api, creates(2, "small"))
    await ended(api, small.location)
    expect((await api.ask("GET", large.location)).status).toBe(202)
    await api.ask("DELETE", large.location)
    await ended(api, large.location)
  })

  it("are polled to their end by Azure's client", async () => {
    const respond = (answer: Awaited<ReturnType<Api["ask"]>>, method: string, url: string) => ({
      flatResponse: answer.body,
      rawResponse: {
        statusCode: answer.status,
        headers: answer.headers as Record<string, string>,
        body: answer.body,
        request: { method, url },
      },
    })
    const poller = createHttpPoller<
      Monitor,
      { status: "notStarted" | "running" | "succeeded" | "canceled" | "failed" }
    >(
      {
        sendInitialRequest: async () =>
          respond(await submit(api, creates(300, "azure")), "POST", "/api/v1/users/batch"),
        sendPollRequest: async (path) => respond(await api.ask("GET", path), "GET", path),
      },
      { intervalInMs: 20 },
    )
    expect(await poller.pollUntilDone()).toMatchObject({ status: "succeeded", succeeded: 300 })
  })
})
