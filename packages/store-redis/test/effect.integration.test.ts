import { IdempotencyStore, JobStore, QuotaStore } from "@multistatus/core/effect"
import { freshDatabase } from "@multistatus/test-services"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { expect, inject, it } from "vitest"
import { redisClient } from "../src/connection/redisClient.ts"
import { RedisConnection, RedisIdempotencyStore, RedisJobs, RedisQuotaStore } from "../src/effect.ts"

it("layers of stores share a connection, which closes with the scope", async () => {
  const stores = Layer.mergeAll(RedisIdempotencyStore.layer(), RedisQuotaStore.layer(), RedisJobs.layer())
  const url = await freshDatabase(inject("redisUrl"))
  const program = Effect.gen(function* () {
    const client = yield* RedisConnection
    const idempotency = yield* IdempotencyStore
    const quotas = yield* QuotaStore
    const jobs = yield* JobStore
    expect(yield* Effect.promise(() => idempotency.peek("k".repeat(43)))).toBeUndefined()
    const rules = [{ policy: "ops", limit: 10_000, windowMs: 60_000 }]
    const standings = yield* Effect.promise(() => quotas.peek("s".repeat(43), rules))
    expect(standings).toMatchObject([{ policy: "ops", remaining: 10_000 }])
    expect(yield* Effect.promise(() => jobs.queued())).toBe(0)
    return client
  })
  const connection = RedisConnection.layer(url, undefined, { warn: () => {} })
  const client = await Effect.runPromise(Effect.provide(program, Layer.provideMerge(stores, connection)))
  await expect(client.get("key")).rejects.toThrow()
})

it("a server that cannot be reached is an error of the layer", async () => {
  const unreachable = RedisConnection.layerFrom(
    () => {
      const client = redisClient("redis://127.0.0.1:1")
      client.on("error", () => {})
      return client
    },
    { timeout: 100 },
  )
  const error = await Effect.runPromise(Effect.flip(Effect.scoped(Layer.build(unreachable))))
  expect(error).toMatchObject({ _tag: "RedisConnectionError" })
})
