import { setTimeout as delay } from "node:timers/promises"
import { type Server, startRedis } from "@multistatus/test-services"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { Api } from "../batch/Api.ts"
import { type ServerProcess, startServer } from "../batch/ServerProcess.ts"
import { codes, create } from "./asking.ts"

let made = 0
const newKey = () => `outage-${made++}`

describe("Redis goes away from a server", () => {
  let redis: Server
  let server: ServerProcess
  let api: Api

  beforeAll(async () => {
    redis = await startRedis({ durable: true })
    server = await startServer("fastify", { REDIS_URL: redis.url, CONCURRENCY: "1" })
    api = new Api(server.origin)
  })
  beforeEach(() => api.reset())
  afterAll(async () => {
    api.close()
    await server.stop()
    await redis.stop()
  })

  /** Retries until Redis is back. */
  const recovered = async (operations: ReadonlyArray<unknown>) => {
    for (let attempt = 0; attempt < 100; attempt++) {
      const answer = await api.operations(operations)
      if (answer.status !== 503) return answer
      await delay(100)
    }
    throw new Error("Redis did not come back")
  }

  it("before a batch: nothing runs, and its keys are free when Redis is back", async () => {
    const key = newKey()
    await redis.kill("SIGKILL")
    for (const headers of [{}, { "idempotency-key": newKey() }]) {
      const answer = await api.operations([create(key, "Alice")], {}, headers)
      expect({ status: answer.status, body: answer.body }).toMatchObject({
        status: 503,
        body: { code: "STORE_UNAVAILABLE" },
      })
      expect(answer.headers["content-type"]).toBe("application/problem+json")
      expect(answer.headers["retry-after"]).toMatch(/^[1-9]\d*$/)
    }
    expect((await api.operations([create(undefined, "Bob")])).status).toBe(200)
    expect(await api.names()).toEqual(["Bob"])
    await redis.restart()
    expect(codes(await recovered([create(key, "Alice")]))).toEqual(["ok"])
  })

  it("during a batch: the answer is marked as not recorded, and is recorded later", async () => {
    const key = newKey()
    const operations = [create(key, "Alice"), { action: "sleep", data: { ms: 1000 }, idempotency_key: newKey() }]
    const asked = api.operations(operations)
    while ((await api.names()).length === 0) await delay(5)
    await redis.pause()
    const answer = await asked
    expect({
      status: answer.status,
      codes: codes(answer),
      idempotencyStatus: answer.headers["idempotency-status"],
    }).toEqual({
      status: 200,
      codes: ["ok", "ok"],
      idempotencyStatus: "not-recorded",
    })
    await redis.resume()
    await delay(2500)
    const again = await recovered(operations)
    expect({ codes: codes(again), idempotencyStatus: again.headers["idempotency-status"] }).toEqual({
      codes: ["replayed", "replayed"],
      idempotencyStatus: undefined,
    })
    expect(await api.names()).toEqual(["Alice"])
  })
  afterEach(() => redis.resume().catch(() => undefined))
})
