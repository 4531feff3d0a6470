/** The idempotency store of Redis, as a layer. */
import { IdempotencyStore } from "@multistatus/core/effect"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { RedisConnection } from "../connection/RedisConnection.ts"
import { type RedisIdempotencyOptions, redisIdempotencyStore } from "./redisIdempotencyStore.ts"

/** Keeps idempotency keys and results on the server of the context. */
export const layer = (options?: RedisIdempotencyOptions): Layer.Layer<IdempotencyStore, never, RedisConnection> =>
  Layer.effect(
    IdempotencyStore,
    Effect.map(RedisConnection, (client) => redisIdempotencyStore(client, options)),
  )
