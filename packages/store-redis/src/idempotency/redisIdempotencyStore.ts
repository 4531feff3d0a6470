/** Claims and results in Redis or Redis Cluster, for any number of processes. */
import type { Acquired, IdempotencyStore, Settled } from "@multistatus/core/store"
import type { Cluster, Redis } from "ioredis"
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

/** Under which keys a store keeps its records. */
export interface RedisIdempotencyOptions {
  /** What all keys begin with; without braces. Default `multistatus`. */
  readonly prefix?: string | undefined
}

/**
 * A script over more keys than this keeps other clients waiting noticeably; several of them are as fast for the caller.
 */
const chunkLength = 100

const fresh: Acquired = { _tag: "fresh", fence: 1 }

/**
 * Makes a store on a client of ioredis.
 *
 * **Details** Scripts over at most 100 keys each are sent together: one round trip for a call, whatever the number of
 * its items. Keys carry hash tags, sixteen in all, so that a cluster takes many in one script and still spreads them.
 * Time is the server's. Records expire by themselves, so `purge` has nothing to do.
 *
 * **Gotchas** A claim is exclusive, but what is done under it and the result are not stored in one step: a process that
 * dies in between leaves an operation that a retry executes again, or, in mode `hold`, an outcome that nobody knows. A
 * failover may lose the writes of the last moments, and an eviction policy other than `noeviction` records at any time:
 * see `checkRedis`.
 *
 * **Example** (A store on a server of its own)
 * ```ts
 * const client = redisClient("redis://127.0.0.1:6379")
 * await checkRedis(client)
 * const store = redisIdempotencyStore(client)
 * ```
 */
export const redisIdempotencyStore = (
  client: Redis | Cluster,
  { prefix = "multistatus" }: RedisIdempotencyOptions = {},
): IdempotencyStore => makeStore(client, prefix, idempotencyScripts)

/** @internal */
export const makeStore = (client: Redis | Cluster, prefix: string, texts: IdempotencyScripts): IdempotencyStore => {
  if (/[{}]/.test(prefix)) throw new Error(`A prefix holds no braces, unlike ${JSON.stringify(prefix)}`)
  const acquire = makeRedisScript(texts.acquire)
  const settle = makeRedisScript(texts.settle)
  const peek = makeRedisScript(texts.peek)
  const resolve = makeRedisScript(texts.resolve)

  const nameOf = (key: string): string => `${prefix}:idempotency:{${hashTag(key)}}:${hash(43, key)}`

  /** Runs a script over all items; `read` is given the positions of a chunk and what the script answered to it. */
  const run = async <Item extends { readonly key: string }>(
    script: RedisScript,
    items: ReadonlyArray<Item>,
    argumentsOf: (items: ReadonlyArray<Item>) => Arguments,
    read: (positions: ReadonlyArray<number>, reply: ReadonlyArray<unknown>) => void,
  ): Promise<void> => {
    const sent = chunksOf(items, isCluster(client)).map(async (positions) => {
      const chunk = positions.map((position) => items[position]!)
      const call = { keys: chunk.map(({ key }) => nameOf(key)), args: argumentsOf(chunk) }
      const reply = await runRedisScript(client, script, call)
      read(positions, reply as ReadonlyArray<unknown>)
    })
    await Promise.all(sent)
  }

  const runOne = (script: RedisScript, key: string, args: Arguments): Promise<unknown> =>
    runRedisScript(client, script, { keys: [nameOf(key)], args })

  return {
    acquire: async (items, times) => {
      // The scripts are silent about what goes as it should, which is nearly everything.
      const answers: Array<Acquired> = items.map(() => fresh)
      await run(acquire, items, acquireArguments(times), (positions, reply) => {
        for (const [place, ...answer] of reply as ReadonlyArray<ReadonlyArray<unknown>>) {
          answers[positions[Number(place) - 1]!] = toAcquired(answer)
        }
      })
      return answers
    },
    settle: async (items, times) => {
      const answers: Array<Settled> = items.map(() => "applied")
      await run(settle, items, settleArguments(times), (positions, reply) => {
        for (const [place, answer] of reply as ReadonlyArray<ReadonlyArray<unknown>>) {
          answers[positions[Number(place) - 1]!] = settled[Number(answer)]!
        }
      })
      return answers
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

/** Positions of items that one script takes together: on a cluster only those of one slot. */
const chunksOf = (
  items: ReadonlyArray<{ readonly key: string }>,
  cluster: boolean,
): ReadonlyArray<ReadonlyArray<number>> => {
  const positions = [...items.keys()]
  if (!cluster) return chunked(positions)
  return [...Map.groupBy(positions, (position) => hashTag(items[position]!.key)).values()].flatMap(chunked)
}

const chunked = (positions: ReadonlyArray<number>): ReadonlyArray<ReadonlyArray<number>> =>
  Array.from({ length: Math.ceil(positions.length / chunkLength) }, (_, chunk) =>
    positions.slice(chunk * chunkLength, (chunk + 1) * chunkLength),
  )
