import type { IdempotencyStore, IdempotencyTimes } from "@multistatus/core/store"
import type { IdempotencyStoreContract } from "@multistatus/core/testing"
import { freshDatabase } from "@multistatus/test-services"
import type { Cluster, Redis } from "ioredis"
import { inject } from "vitest"
import { checkRedis } from "../../src/connection/checkRedis.ts"
import { hashTag } from "../../src/idempotency/hashTag.ts"
import { idempotencyScripts, type IdempotencyScripts } from "../../src/idempotency/IdempotencyScripts.ts"
import { redisClient, redisCluster } from "../../src/connection/redisClient.ts"
import { makeStore } from "../../src/idempotency/redisIdempotencyStore.ts"

/** A database of its own, and two clients of it. */
export const redisBackend = async (scripts?: IdempotencyScripts): Promise<IdempotencyStoreContract.Backend> => {
  const url = await freshDatabase(inject("redisUrl"))
  return backendOf(() => redisClient(url), scripts)
}

export const clusterBackend = (): Promise<IdempotencyStoreContract.Backend> =>
  backendOf(() => redisCluster([inject("redisClusterUrl")]))

const prefix = "test"

const backendOf = async (connect: () => Redis | Cluster, scripts: IdempotencyScripts = idempotencyScripts) => {
  const [client, other] = [connect(), connect()]
  await Promise.all([checkRedis(client), checkRedis(other)])
  return {
    store: makeStore(client, prefix, scripts),
    other: makeStore(other, prefix, scripts),
    evict: (key: string) => client.del(`${prefix}:idempotency:{${hashTag(key)}}:${key}`),
    close: async () => {
      client.disconnect()
      other.disconnect()
    },
  }
}

/** Time passes a thousand times as slowly on the server as it is told to the store below. */
const scale = 1000

/**
 * A store that is not told the time, and goes by the server's clock; what it is told it is, is how far all records there
 * are brought nearer to their end. So the model, which tells it, finds out how the store is with a clock of its server's.
 */
export const serverClockBackend = async (scripts?: IdempotencyScripts): Promise<IdempotencyStoreContract.Backend> => {
  const client = redisClient(await freshDatabase(inject("redisUrl")))
  await checkRedis(client)
  const store = makeStore(client, prefix, scripts ?? idempotencyScripts)
  const last = { now: 0, server: 0 }
  let passing: Promise<void> = Promise.resolve()
  const pass = (now = last.now) => {
    const before = passing
    const next = async () => {
      await before
      const passed = (now - last.now) * scale
      last.now = now
      last.server = Number(await client.eval(bringNearer, 0, `${prefix}:*`, passed, last.server))
    }
    passing = next()
    return passing
  }
  // What ends at a time has ended by then, however coarse the server's clock is.
  const slow = (ms: number) => ms * scale - scale / 10
  const slowed = ({ owner, ...times }: IdempotencyTimes): IdempotencyTimes => ({
    owner,
    leaseMs: slow(times.leaseMs),
    pendingTtlMs: slow(times.pendingTtlMs),
    resultTtlMs: slow(times.resultTtlMs),
  })
  const quickened = (ms: number) => Math.ceil(ms / scale) + 0
  const { acquire, settle, peek, resolve } = store
  const timed: IdempotencyStore = {
    acquire: async (items, times) => {
      await pass(times.now)
      const answers = await acquire(items, slowed(times))
      return answers.map((answer) =>
        answer._tag === "in-progress" ? { ...answer, retryAfterMs: quickened(answer.retryAfterMs) } : answer,
      )
    },
    settle: async (items, times) => {
      await pass(times.now)
      return settle(items, slowed(times))
    },
    peek: async (key, now) => {
      await pass(now)
      const record = await peek(key)
      return record && { ...record, leaseLeftMs: quickened(record.leaseLeftMs) }
    },
    resolve: async (key, decision, now) => {
      await pass(now)
      return resolve(key, decision === "forget" ? decision : { ...decision, resultTtlMs: slow(decision.resultTtlMs) })
    },
    purge: async () => 0,
  }
  return {
    store: timed,
    evict: (key: string) => client.del(`${prefix}:idempotency:{${hashTag(key)}}:${key}`),
    close: async () => client.disconnect(),
  }
}

// What passed by itself since the last time counts for nothing. Answers what time it is.
const bringNearer = `
local time = redis.call('TIME')
local server = time[1] * 1000 + math.floor(time[2] / 1000)
local by = tonumber(ARGV[2]) - (ARGV[3] == '0' and 0 or server - tonumber(ARGV[3]))
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
  redis.call('PEXPIRE', key, redis.call('PTTL', key) - by)
end
return server`
