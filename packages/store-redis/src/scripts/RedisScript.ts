/** Runs Lua scripts on Redis and Redis Cluster. */
import type { Cluster, Redis } from "ioredis"
import { createHash } from "node:crypto"

/** A Lua script. */
export interface RedisScript {
  readonly text: string
  /** The SHA-1 of the text. It identifies a script that Redis has cached. */
  readonly sha: string
}

/** The keys and arguments of one run. On a cluster all keys must be in one slot. */
export interface RedisScriptCall {
  readonly keys: ReadonlyArray<string>
  readonly args: ReadonlyArray<string | number>
}

/** Makes a script from its Lua text. */
export const makeRedisScript = (text: string): RedisScript => ({
  text,
  sha: createHash("sha1").update(text).digest("hex"),
})

/**
 * Runs a script.
 *
 * **Details** If the server does not have the script, for example after a restart or `SCRIPT FLUSH`, its text is sent in a
 * second round trip. Concurrent calls share round trips. Each call is sent immediately, so the server can run the first
 * while the next is prepared, and on a cluster each call goes to the node of its slot.
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

/** Returns whether a client is connected to a cluster, where all keys of a call must be in one slot. */
export const isCluster = (client: Redis | Cluster): client is Cluster => client.isCluster
