/** What jobs are held to, and what is said of those that are over: on both frameworks, over HTTP. */
import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { setTimeout as delay } from "node:timers/promises"
import { expressBatch } from "@multistatus/adapter-express"
import { fastifyBatch } from "@multistatus/adapter-fastify"
import { type JobOptions, memoryJobs, resource } from "@multistatus/core"
import express from "express"
import Fastify from "fastify"
import { describe, expect, it, onTestFinished } from "vitest"

const things = () =>
  resource("things", { wait: { identified: false, run: ({ ms }: { readonly ms: number }) => delay(ms, {}) } })

const frameworks = {
  express: async (jobs: JobOptions) => {
    const app = express()
    const batch = expressBatch({ tenant: (request) => request.get("x-api-key"), jobs })
    app.post("/batch", batch.operations(things()))
    app.use("/jobs", batch.jobs)
    const server = createServer(app).listen(0, "127.0.0.1")
    await once(server, "listening")
    onTestFinished(async () => {
      server.closeAllConnections()
      server.close()
      await batch.close()
    })
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  },
  fastify: async (jobs: JobOptions) => {
    const app = Fastify()
    await app.register(fastifyBatch, { tenant: ({ headers }) => String(headers["x-api-key"]), jobs })
    app.batch.operations("/batch", things())
    app.batch.jobs("/jobs")
    onTestFinished(() => app.close())
    return app.listen({ port: 0, host: "127.0.0.1" })
  },
}

describe.each(Object.entries(frameworks))("jobs on %s", (_, start) => {
  const serve = async (jobs: Omit<JobOptions, "engine">) => {
    const origin = await start({ engine: memoryJobs(), ...jobs })
    const submit = async (count: number, ms: number, tenant = "a") => {
      const operations = Array.from({ length: count }, () => ({ action: "wait", data: { ms } }))
      return fetch(`${origin}/batch`, {
        method: "POST",
        headers: { "content-type": "application/json", prefer: "respond-async", "x-api-key": tenant },
        body: JSON.stringify({ operations }),
      })
    }
    const status = async (location: string) => {
      const answer = await fetch(`${origin}${location}`, { headers: { "x-api-key": "a" } })
      await answer.text()
      return answer.status
    }
    return { submit, status }
  }

  it("are refused when the queue is full, and when a tenant has as many as it may have", async () => {
    const full = await serve({ queuedOperations: 10 })
    expect((await full.submit(8, 1_500)).status).toBe(202)
    const refused = await full.submit(3, 0, "b")
    expect({ status: refused.status, body: await refused.json() }).toMatchObject({
      status: 503,
      body: { code: "OVERLOADED" },
    })
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0)
    const each = await serve({ perTenant: 1 })
    expect((await each.submit(1, 1_500)).status).toBe(202)
    const second = await each.submit(1, 0)
    expect({ status: second.status, body: await second.json() }).toMatchObject({
      status: 429,
      body: { code: "RATE_LIMITED" },
    })
    expect((await each.submit(1, 0, "b")).status).toBe(202)
  })

  it("answer 410 some time after their end", async () => {
    const { submit, status } = await serve({ keepResults: 1_000 })
    const location = (await submit(1, 0)).headers.get("location")!
    await expect.poll(() => status(location)).toBe(200)
    await expect.poll(() => status(location), { timeout: 5_000 }).toBe(410)
  })
})
