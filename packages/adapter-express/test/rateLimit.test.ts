import { once } from "node:events"
import type { AddressInfo } from "node:net"
import express from "express"
import { rateLimit } from "express-rate-limit"
import { expect, it, onTestFinished } from "vitest"
import { expressBatch } from "../src/index.ts"

it("lets through as many sub-requests as the application's rate limiter lets single requests", async () => {
  const app = express()
  const batch = expressBatch({ concurrency: "parallel" })
  app.post("/batch", batch.requests(app))
  app.use(rateLimit({ limit: 3 }))
  app.get("/page", (_request, response) => response.json({}))
  const server = app.listen(0, "127.0.0.1")
  onTestFinished(() => void server.close())
  await once(server, "listening")
  const requests = Array.from({ length: 6 }, (_, n) => ({ id: String(n), method: "GET", url: "/page" }))
  const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/batch`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ requests }),
  })
  const { responses } = (await answer.json()) as { responses: Array<{ status: number }> }
  expect(responses.map(({ status }) => status)).toEqual([200, 200, 200, 429, 429, 429])
})
