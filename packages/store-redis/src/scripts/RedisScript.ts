/** Lua scripts, and running them on Redis and on Redis Cluster. */
import type { Cluster, Redis } from "ioredis"
import { createHash } from "node:crypto"

export interface RedisScript {
  readonly text: string
  /** SHA-1 of the text, by which Redis knows a script that it was sent before. */
  readonly sha: string
}

/** One run of a script; on a cluster all of its keys are in one slot. */
export interface RedisScriptCall {
  readonly keys: ReadonlyArray<string>
  readonly args: ReadonlyArray<string | number>
}

export const makeRedisScript = (text: string): RedisScript => ({
  text,
  sha: createHash("sha1").update(text).digest("hex"),
})

/**
 * Runs a script.
 *
 * **Details** A server that does not have the script, as after a restart or `SCRIPT FLUSH`, is sent its text in a
 * second round trip. Calls that do not wait for each other share their round trips; each is sent at once, so that the
 * server is at work on the first while the next is put together, and on a cluster each follows its own slot.
 */
export const runRedisScript = async (
  client: Redis | Cluster,
  { text, sha }: RedisScript,
  { keys, args }: RedisScriptCall,
): Promise<unknown> => {
  try {
    return await client.evalsha(sha, keys.length, ...keys, ...args)
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith("NOSCRIPT"))) throw error
    return client.eval(text, keys.length, ...keys, ...args)
  }
}

/** Whether the keys of one call must be in one slot. */
export const isCluster = (client: Redis | Cluster): client is Cluster => client.isCluster
