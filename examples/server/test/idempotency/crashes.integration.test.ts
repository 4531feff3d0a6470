import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { startRedis } from "@multistatus/test-services"
import { describe, expect, it } from "vitest"
import { Api } from "../batch/Api.ts"
import { frameworks, startServer } from "../batch/ServerProcess.ts"
import { codes, create } from "./asking.ts"

/** How long the keys of a crashed server stay taken, and a little more. */
const leaseMs = 16_000

/** Kills a server in the midst of a batch, starts it again, and answers what was there and what a retry was told. */
const crash = async (framework: (typeof frameworks)[number], environment: Readonly<Record<string, string>>) => {
  const directory = await mkdtemp(join(tmpdir(), "crash-"))
  const all = { DATABASE_URL: `sqlite:${join(directory, "users.db")}`, CONCURRENCY: "1", ...environment }
  const operations = [
    create(undefined, "Alice"),
    { action: "update", id: "u_0", data: {} },
    { action: "sleep", data: { ms: 3000 } },
    create(undefined, "Bob"),
  ]
  const batch = (api: Api) => api.operations(operations, {}, { "idempotency-key": "crash" })
  try {
    const first = await startServer(framework, all)
    const asked = batch(new Api(first.origin)).catch(() => undefined)
    await delay(1200)
    first.kill("SIGKILL")
    await Promise.all([asked, first.ended])
    const second = await startServer(framework, all)
    const api = new Api(second.origin)
    const left = await api.names()
    const taken = await batch(api)
    await delay(leaseMs)
    const retried = await batch(api)
    const again = await batch(api)
    const names = await api.names()
    api.close()
    await second.stop()
    return { left, taken, retried, again, names }
  } finally {
    await rm(directory, { recursive: true })
  }
}

describe.concurrent("a server that is killed in the midst of a batch with a key", () => {
  it.each(frameworks)("goes on with the rest, where keys are in Redis: %s", { timeout: 90_000 }, async (framework) => {
    await using redis = await startRedis({ durable: true })
    const { left, taken, retried, again, names } = await crash(framework, { STORE: "redis", REDIS_URL: redis.url })
    expect(left).toEqual(["Alice"])
    expect([taken.status, taken.headers["retry-after"]]).toEqual([409, expect.stringMatching(/^\d+$/)])
    expect([codes(retried), retried.headers["idempotency-replayed"]]).toEqual([
      ["=ok", "=NOT_FOUND", "ok", "ok"],
      undefined,
    ])
    expect([codes(again), again.headers["idempotency-replayed"]]).toEqual([["=ok", "=NOT_FOUND", "=ok", "=ok"], "true"])
    expect(names).toEqual(["Alice", "Bob"])
  })

  it.each(frameworks)(
    "has done nothing of a transaction, and does it once: %s",
    { timeout: 90_000 },
    async (framework) => {
      const { left, taken, retried, again, names } = await crash(framework, { STORE: "sql" })
      expect([left, taken.status]).toEqual([[], 409])
      expect([codes(retried), retried.headers["idempotency-replayed"]]).toEqual([
        ["ok", "NOT_FOUND", "ok", "ok"],
        undefined,
      ])
      expect(again.headers["idempotency-replayed"]).toBe("true")
      expect(names).toEqual(["Alice", "Bob"])
    },
  )
})
