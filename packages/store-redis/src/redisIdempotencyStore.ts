/**
 * Claims and results in Redis or Redis Cluster, for any number of processes.
 *
 * @since 0.1.0
 */
import type {
  Acquired,
  AcquireItem,
  IdempotencyRecord,
  IdempotencyStore,
  IdempotencyTimes,
  SettleAction,
  Settled,
  SettleItem,
} from "@multistatus/core"
import type { Cluster, Redis } from "ioredis"
import { acquired, type IdempotencyScripts, idempotencyScripts, settled } from "./IdempotencyScripts.ts"
import { isCluster, makeRedisScript, runRedisScript } from "./RedisScript.ts"

/** How records are named. @category models @since 0.1.0 */
export interface RedisIdempotencyOptions {
  /** What all keys begin with; without braces. Default `multistatus`. */
  readonly prefix?: string | undefined
}

/** A script over more keys than this keeps other clients waiting noticeably; several of them are as fast for the caller. */
const chunkLength = 100

/**
 * Makes a store on a client of ioredis.
 *
 * **Details** Scripts over at most 100 keys each are sent together: one round trip for a call, whatever the number of
 * its items. Keys carry hash tags, sixteen in all, so that a cluster takes many in one script and still spreads them. Time is the
 * server's. Records expire by themselves, so `purge` has nothing to do.
 *
 * **Gotchas** A claim is exclusive, but what is done under it and the result are not stored in one step: a process that dies in between
 * leaves an operation that a retry executes again, or, in mode `hold`, an outcome that nobody knows. A failover may lose
 * the writes of the last moments, and an eviction policy other than `noeviction` records at any time: see `checkRedis`.
 *
 * **Example** (A store on a server of its own)
 * ```ts
 * const client = redisClient("redis://127.0.0.1:6379")
 * await checkRedis(client)
 * const store = redisIdempotencyStore(client)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const redisIdempotencyStore = (
  client: Redis | Cluster,
  { prefix = "multistatus" }: RedisIdempotencyOptions = {},
): IdempotencyStore => makeStore(client, prefix, idempotencyScripts)

/** @internal */
export const makeStore = (client: Redis | Cluster, prefix: string, texts: IdempotencyScripts): IdempotencyStore => {
  if (/[{}]/.test(prefix))
    throw new Error(`The prefix ${JSON.stringify(prefix)} holds braces, which Redis takes for a tag`)
  const scripts = {
    acquire: makeRedisScript(texts.acquire),
    settle: makeRedisScript(texts.settle),
    peek: makeRedisScript(texts.peek),
    resolve: makeRedisScript(texts.resolve),
  }

  // A hash of 256 bits in 43 characters leaves the last one sixteen values, all of them equally frequent.
  const nameOf = (key: string): string => `${prefix}:idempotency:{${key.slice(-1)}}:${key}`

  const chunksOf = <Item extends { readonly key: string }>(items: ReadonlyArray<Item>) => {
    const positions = [...items.keys()]
    if (!isCluster(client)) return chunked(positions)
    return [...Map.groupBy(positions, (position) => items[position]!.key.slice(-1)).values()].flatMap(chunked)
  }

  /** Runs a script over all items; `read` is given the positions of a chunk and what the script answered to it. */
  const run = async <Item extends { readonly key: string }>(
    script: keyof typeof scripts,
    items: ReadonlyArray<Item>,
    common: ReadonlyArray<string | number>,
    argsOf: (item: Item) => ReadonlyArray<string>,
    read: (positions: ReadonlyArray<number>, reply: ReadonlyArray<unknown>) => void,
  ): Promise<void> => {
    if (items.length === 0) return
    const chunks = chunksOf(items)
    const calls = chunks.map((positions) => ({
      keys: positions.map((position) => nameOf(items[position]!.key)),
      args: [...common, ...positions.flatMap((position) => argsOf(items[position]!))],
    }))
    const replies = await runRedisScript(client, scripts[script], calls)
    for (const [index, positions] of chunks.entries()) read(positions, replies[index] as ReadonlyArray<unknown>)
  }

  const runOne = async (script: keyof typeof scripts, key: string, args: ReadonlyArray<string | number>) =>
    (await runRedisScript(client, scripts[script], [{ keys: [nameOf(key)], args }]))[0]

  return {
    acquire: async (items, times) => {
      const answers: Array<Acquired> = items.map(() => ({ _tag: "fresh", fence: 1 }))
      const common = [...timed(times), ceil(times.leaseMs), ceil(times.pendingTtlMs)]
      await run("acquire", items, common, claimOf, (positions, reply) => {
        for (const [position, ...answer] of reply as ReadonlyArray<[number, ...ReadonlyArray<unknown>]>) {
          answers[positions[Number(position) - 1]!] = toAcquired(answer)
        }
      })
      return answers
    },
    settle: async (items, times) => {
      const answers: Array<Settled> = []
      const { leaseMs, pendingTtlMs, resultTtlMs } = times
      const common = [...timed(times), ceil(leaseMs), ceil(pendingTtlMs), ceil(resultTtlMs)]
      await run("settle", items, common, settlingOf, (positions, reply) => {
        for (const [index, position] of positions.entries()) answers[position] = settled[Number(reply[index])]!
      })
      return answers
    },
    peek: async (key, now) => {
      const reply = (await runOne("peek", key, [now ?? ""])) as ReadonlyArray<unknown> | null
      return reply === null ? undefined : toRecord(reply)
    },
    resolve: async (key, decision, now) => {
      const args = decision === "forget" ? ["", ""] : [ceil(decision.resultTtlMs), decision.result]
      return Number(await runOne("resolve", key, [now ?? "", ...args])) === 1
    },
    purge: async () => 0,
  }
}

const chunked = (positions: ReadonlyArray<number>): ReadonlyArray<ReadonlyArray<number>> =>
  Array.from({ length: Math.ceil(positions.length / chunkLength) }, (_, chunk) =>
    positions.slice(chunk * chunkLength, (chunk + 1) * chunkLength),
  )

const ceil = Math.ceil

// Records are cut at fixed places: whatever has another length would end up in its neighbour's.
const ofLength = (length: number, text: string): string => {
  if (text.length === length) return text
  throw new Error(`An owner has 22 characters and a fingerprint 43, not ${text.length}`)
}

const timed = ({ now, owner }: IdempotencyTimes): ReadonlyArray<string | number> => [now ?? "", ofLength(22, owner)]

const claimOf = ({ mode, fingerprint }: AcquireItem) => [`${mode === "hold" ? "H" : "P"}${ofLength(43, fingerprint)}`]

const settlingOf = ({ fingerprint, action }: SettleItem) => [...todo(action), ofLength(43, fingerprint), textOf(action)]

const todo = (action: SettleAction): ReadonlyArray<string> => {
  switch (action._tag) {
    case "complete":
      return ["C"]
    case "append":
      return [`A${action.at}:${action.chunk.length}`]
    case "extend":
      return ["E"]
    case "release":
      return ["R"]
  }
}

const textOf = (action: SettleAction): string =>
  action._tag === "complete" ? action.result : action._tag === "append" ? action.chunk : ""

const toAcquired = ([tag, number, text]: ReadonlyArray<unknown>): Acquired => {
  const _tag = acquired[Number(tag)]!
  switch (_tag) {
    case "fresh":
      return { _tag, fence: Number(number) }
    case "taken-over":
    case "mine":
      return { _tag, fence: Number(number), journal: String(text) }
    case "replay":
      return { _tag, result: String(text) }
    case "in-progress":
      return { _tag, retryAfterMs: Number(number) }
    case "mismatch":
    case "indeterminate":
      return { _tag }
  }
}

const states = { P: "pending", H: "held", D: "done", R: "released" } as const

const toRecord = ([state, fence, leaseLeftMs]: ReadonlyArray<unknown>): IdempotencyRecord => ({
  state: states[state as keyof typeof states],
  fence: Number(fence),
  leaseLeftMs: Number(leaseLeftMs),
})
