import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { startRedis } from "@multistatus/test-services"
import { describe, expect, it, vi } from "vitest"
import { Api } from "../batch/Api.ts"
import { type Framework, startServer } from "../batch/ServerProcess.ts"
import { codes, create } from "./asking.ts"

/** Milliseconds after which the keys of a crashed server are free again: its lease, and a little more. */
const leaseMs = 16_000

/** Kills a server during a batch and starts it again; returns what was left, and what retries were answered. */
const crash = async (
  framework: Framework,
  environment: Readonly<Record<string, string>>,
  begun: (api: Api) => Promise<unknown>,
) => {
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
    const client = new Api(first.origin)
    const asked = batch(client).catch(() => undefined)
    await begun(client)
    // The batch sleeps: everything before that is recorded by now.
    await delay(1000)
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

describe.concurrent("a server that is killed during a batch with a key", () => {
  it("runs the remaining operations on a retry, with keys in Redis", { timeout: 90_000 }, async () => {
    await using redis = await startRedis({ durable: true })
    const { left, taken, retried, again, names } = await crash(
      "express",
      { STORE: "redis", REDIS_URL: redis.url },
      (api) => vi.waitUntil(async () => (await api.names()).length === 1, { timeout: 10_000 }),
    )
    expect(left).toEqual(["Alice"])
    expect({ status: taken.status, retryAfter: taken.headers["retry-after"] }).toEqual({
      status: 409,
      retryAfter: expect.stringMatching(/^\d+$/),
    })
    expect({ codes: codes(retried), replayed: retried.headers["idempotency-replayed"] }).toEqual({
      codes: ["replayed", "replayed NOT_FOUND", "ok", "ok"],
      replayed: undefined,
    })
    expect({ codes: codes(again), replayed: again.headers["idempotency-replayed"] }).toEqual({
      codes: ["replayed", "replayed NOT_FOUND", "replayed", "replayed"],
      replayed: "true",
    })
    expect(names).toEqual(["Alice", "Bob"])
  })

  it("has applied nothing of its transaction, and applies it once on a retry", { timeout: 90_000 }, async () => {
    const { left, taken, retried, again, names } = await crash("fastify", { STORE: "sql" }, () => delay(200))
    expect({ left, status: taken.status }).toEqual({ left: [], status: 409 })
    expect({ codes: codes(retried), replayed: retried.headers["idempotency-replayed"] }).toEqual({
      codes: ["ok", "NOT_FOUND", "ok", "ok"],
      replayed: undefined,
    })
    expect(again.headers["idempotency-replayed"]).toBe("true")
    expect(names).toEqual(["Alice", "Bob"])
  })
})
