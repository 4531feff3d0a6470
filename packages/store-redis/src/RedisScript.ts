/**
 * Lua scripts, and running them many times at once on Redis and on Redis Cluster.
 *
 * @since 0.1.0
 */
import type { Cluster, Redis } from "ioredis"
import { createHash } from "node:crypto"

/** @category models @since 0.1.0 */
export interface RedisScript {
  readonly text: string
  /** SHA-1 of the text, by which Redis knows a script that it was sent before. */
  readonly sha: string
}

/** One run of a script; on a cluster all of its keys are in one slot. @category models @since 0.1.0 */
export interface RedisScriptCall {
  readonly keys: ReadonlyArray<string>
  readonly args: ReadonlyArray<string | number>
}

/** @category constructors @since 0.1.0 */
export const makeRedisScript = (text: string): RedisScript => ({
  text,
  sha: createHash("sha1").update(text).digest("hex"),
})

type Reply = readonly [error: Error | null, value?: unknown]

/**
 * Runs a script several times in one round trip; answers in the order of the calls.
 *
 * **Details** A server that does not have the script, as after a restart or `SCRIPT FLUSH`, is sent its text in a
 * second round trip, for those calls alone. Rejects with the first other error, whatever became of the other calls.
 *
 * @category commands
 * @since 0.1.0
 */
export const runRedisScript = async (
  client: Redis | Cluster,
  script: RedisScript,
  calls: ReadonlyArray<RedisScriptCall>,
): Promise<ReadonlyArray<unknown>> => {
  const replies = [...(await send(client, "evalsha", script.sha, calls))]
  const missing = [...replies.keys()].filter((index) => replies[index]![0]?.message.startsWith("NOSCRIPT"))
  if (missing.length > 0) {
    const again = await send(
      client,
      "eval",
      script.text,
      missing.map((index) => calls[index]!),
    )
    for (const [position, index] of missing.entries()) replies[index] = again[position]!
  }
  return replies.map(([error, value]) => {
    if (error !== null) throw error
    return value
  })
}

const send = async (
  client: Redis | Cluster,
  command: "eval" | "evalsha",
  script: string,
  calls: ReadonlyArray<RedisScriptCall>,
): Promise<ReadonlyArray<Reply>> => {
  if (isCluster(client)) {
    // Not a pipeline for each node: in one of those a slot that has moved fails for good. Commands that are sent
    // without waiting for each other need one round trip too, and each follows its own slot.
    return Promise.all(
      calls.map(({ keys, args }) =>
        client[command](script, keys.length, ...keys, ...args).then(
          (value): Reply => [null, value],
          (error: Error): Reply => [error],
        ),
      ),
    )
  }
  const pipeline = client.pipeline()
  for (const { keys, args } of calls) pipeline[command](script, keys.length, ...keys, ...args)
  return (await pipeline.exec()) ?? []
}

/** Whether the keys of one call must be in one slot. @category guards @since 0.1.0 */
export const isCluster = (client: Redis | Cluster): client is Cluster => client.isCluster
