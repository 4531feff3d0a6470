/** Stores idempotency claims and results in Redis or Redis Cluster. */
import type { Acquired, IdempotencyStore, Settled } from "@multistatus/core/store"
import type { Cluster, Redis } from "ioredis"
import { checkClient, checkPrefix } from "../connection/redisClient.ts"
import { hashTag } from "./hashTag.ts"
import {
  acquireArguments,
  type Arguments,
  clock,
  hash,
  resolveArguments,
  settleArguments,
  toAcquired,
  toRecord,
} from "./IdempotencyMessage.ts"
import { type IdempotencyScripts, idempotencyScripts, settled } from "./IdempotencyScripts.ts"
import { isCluster, makeRedisScript, type RedisScript, runRedisScript } from "../scripts/RedisScript.ts"

/** Options of `redisIdempotencyStore`. */
export interface RedisIdempotencyOptions {
  /** Prefix of all keys, without braces. Default `multistatus`. */
  readonly prefix?: string | undefined
}

/**
 * Maximum number of keys of one script. A longer script would delay other clients; several scripts take no longer.
 */
const maximumKeys = 100

const fresh: Acquired = { _tag: "fresh", fence: 1 }

/**
 * Makes an idempotency store on an ioredis client.
 *
 * **Details** A call takes one round trip for any number of items: it sends scripts of at most 100 keys each at the same
 * time. Keys have one of sixteen hash tags, so on a cluster a script can handle many keys, and the keys still spread over
 * the nodes. The store uses the clock of the server. Records expire by themselves, so `purge` does nothing.
 *
 * **Gotchas** Claims are exclusive, but an operation and its result are not stored atomically. If a process dies between the
 * two, a retry executes the operation again, or in mode `hold` the outcome is unknown. A failover can lose the most recent
 * writes. An eviction policy other than `noeviction` can lose records at any time: see `checkRedis`.
 *
 * **Example** (A store on one server)
 * ```ts
 * const client = redisClient("redis://127.0.0.1:6379")
 * await checkRedis(client)
 * const store = redisIdempotencyStore(client)
 * ```
 */
export const redisIdempotencyStore = (
  client: Redis | Cluster,
  { prefix = "multistatus" }: RedisIdempotencyOptions = {},
): IdempotencyStore => {
  checkClient(client, "redisIdempotencyStore")
  return makeStore(client, prefix, idempotencyScripts)
}

/** Makes the store with other scripts, for tests. @internal */
export const makeStore = (client: Redis | Cluster, prefix: string, texts: IdempotencyScripts): IdempotencyStore => {
  checkPrefix(prefix)
  const acquire = makeRedisScript(texts.acquire)
  const settle = makeRedisScript(texts.settle)
  const peek = makeRedisScript(texts.peek)
  const resolve = makeRedisScript(texts.resolve)

  const nameOf = (key: string): string => `${prefix}:idempotency:{${hashTag(key)}}:${hash(43, key)}`

  /** Runs a script for all items. `read` gets the positions of the items of one run, and its reply. */
  const run = async <Item extends { readonly key: string }>(
    script: RedisScript,
    items: ReadonlyArray<Item>,
    argumentsOf: (items: ReadonlyArray<Item>) => Arguments,
    read: (positions: ReadonlyArray<number>, reply: ReadonlyArray<unknown>) => void,
  ): Promise<void> => {
    const runs = groupsOf(items, isCluster(client)).map(async (positions) => {
      const group = positions.map((position) => items[position]!)
      const call = { keys: group.map(({ key }) => nameOf(key)), args: argumentsOf(group) }
      const reply = await runRedisScript(client, script, call)
      read(positions, reply as ReadonlyArray<unknown>)
    })
    await Promise.all(runs)
  }

  const runOne = (script: RedisScript, key: string, args: Arguments): Promise<unknown> =>
    runRedisScript(client, script, { keys: [nameOf(key)], args })

  return {
    acquire: async (items, times) => {
      // The scripts do not report items with the usual result, which are almost all.
      const results: Array<Acquired> = items.map(() => fresh)
      await run(acquire, items, acquireArguments(times), (positions, reply) => {
        for (const [position, ...result] of reply as ReadonlyArray<ReadonlyArray<unknown>>) {
          results[positions[Number(position) - 1]!] = toAcquired(result)
        }
      })
      return results
    },
    settle: async (items, times) => {
      const results: Array<Settled> = items.map(() => "applied")
      await run(settle, items, settleArguments(times), (positions, reply) => {
        for (const [position, result] of reply as ReadonlyArray<ReadonlyArray<unknown>>) {
          results[positions[Number(position) - 1]!] = settled[Number(result)]!
        }
      })
      return results
    },
    peek: async (key, now) => {
      const reply = (await runOne(peek, key, clock(now))) as ReadonlyArray<unknown> | null
      return reply === null ? undefined : toRecord(reply)
    },
    resolve: async (key, decision, now) => {
      return Number(await runOne(resolve, key, resolveArguments(decision, now))) === 1
    },
    purge: async () => 0,
  }
}

/** Returns the positions of the items of each run. On a cluster a run has only keys of one slot. */
const groupsOf = (
  items: ReadonlyArray<{ readonly key: string }>,
  isCluster: boolean,
): ReadonlyArray<ReadonlyArray<number>> => {
  const positions = [...items.keys()]
  if (!isCluster) return split(positions)
  return [...Map.groupBy(positions, (position) => hashTag(items[position]!.key)).values()].flatMap(split)
}

const split = (positions: ReadonlyArray<number>): ReadonlyArray<ReadonlyArray<number>> =>
  Array.from({ length: Math.ceil(positions.length / maximumKeys) }, (_, index) =>
    positions.slice(index * maximumKeys, (index + 1) * maximumKeys),
  )
