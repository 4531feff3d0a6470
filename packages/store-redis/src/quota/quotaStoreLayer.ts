/** The quota store of Redis, as a layer. */
import { QuotaStore } from "@multistatus/core/effect"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { RedisConnection } from "../connection/RedisConnection.ts"
import { type RedisQuotaOptions, redisQuotaStore } from "./redisQuotaStore.ts"

/** Keeps quotas on the server of the context. */
export const layer = (options?: RedisQuotaOptions): Layer.Layer<QuotaStore, never, RedisConnection> =>
  Layer.effect(
    QuotaStore,
    Effect.map(RedisConnection, (client) => redisQuotaStore(client, options)),
  )
