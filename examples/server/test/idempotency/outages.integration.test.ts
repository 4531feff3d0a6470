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

  /** Asks again until Redis is there again. */
  const recovered = async (operations: ReadonlyArray<unknown>) => {
    for (let attempt = 0; attempt < 100; attempt++) {
      const answer = await api.operations(operations)
      if (answer.status !== 503) return answer
      await delay(100)
    }
    throw new Error("Redis did not come back")
  }

  it("before a batch: nothing is executed, and its keys are free when Redis is back", async () => {
    const key = newKey()
    await redis.kill("SIGKILL")
    for (const headers of [{}, { "idempotency-key": newKey() }]) {
      const answer = await api.operations([create(key, "Alice")], {}, headers)
      expect([answer.status, answer.body]).toMatchObject([503, { code: "STORE_UNAVAILABLE" }])
      expect(answer.headers["content-type"]).toBe("application/problem+json")
      expect(answer.headers["retry-after"]).toMatch(/^[1-9]\d*$/)
    }
    expect((await api.operations([create(undefined, "Bob")])).status).toBe(200)
    expect(await api.names()).toEqual(["Bob"])
    await redis.restart()
    expect(codes(await recovered([create(key, "Alice")]))).toEqual(["ok"])
  })

  it("in the midst of a batch: the answer is given, says that it was not recorded, and is recorded later", async () => {
    const key = newKey()
    const operations = [create(key, "Alice"), { action: "sleep", data: { ms: 1000 }, idempotency_key: newKey() }]
    const asked = api.operations(operations)
    while ((await api.names()).length === 0) await delay(5)
    await redis.pause()
    const answer = await asked
    expect([answer.status, codes(answer), answer.headers["idempotency-status"]]).toEqual([
      200,
      ["ok", "ok"],
      "not-recorded",
    ])
    await redis.resume()
    await delay(2500)
    const again = await recovered(operations)
    expect([codes(again), again.headers["idempotency-status"]]).toEqual([["=ok", "=ok"], undefined])
    expect(await api.names()).toEqual(["Alice"])
  })
  afterEach(() => redis.resume().catch(() => undefined))
})
