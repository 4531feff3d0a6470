import rateLimit from "@fastify/rate-limit"
import makeFastify from "fastify"
import { expect, it, onTestFinished } from "vitest"
import { fastifyBatch } from "../src/index.ts"

it("lets through as many sub-requests as the application's rate limiter lets single requests", async () => {
  const app = makeFastify()
  onTestFinished(() => app.close())
  await app.register(rateLimit, { global: false, max: 3 })
  await app.register(fastifyBatch, { concurrency: "parallel" })
  app.get("/page", { config: { rateLimit: { max: 3 } } }, async () => ({}))
  app.batch.requests("/batch")
  const url = await app.listen({ port: 0, host: "127.0.0.1" })
  const requests = Array.from({ length: 6 }, (_, n) => ({ id: String(n), method: "GET", url: "/page" }))
  const answer = await fetch(`${url}/batch`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ requests }),
  })
  const { responses } = (await answer.json()) as { responses: Array<{ status: number }> }
  expect(responses.map(({ status }) => status)).toEqual([200, 200, 200, 429, 429, 429])
})
