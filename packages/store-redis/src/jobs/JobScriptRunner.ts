/** Runs the scripts of the job store on their keys. */
import type { NewChunk } from "@multistatus/core/store"
import type { Cluster, Redis } from "ioredis"
import { makeRedisScript, runRedisScript } from "../scripts/RedisScript.ts"
import type { JobKeys } from "./JobKeys.ts"
import { type Arguments, chunkArguments, clock, type Reply } from "./JobMessage.ts"
import type { JobScripts } from "./JobScripts.ts"

/** Runs scripts, and returns their replies. */
export interface JobScriptRunner {
  readonly onJob: (name: keyof JobScripts, id: string, args: Arguments) => Promise<unknown>
  readonly onJobs: (name: keyof JobScripts, ids: ReadonlyArray<string>, args: Arguments) => Promise<Reply>
  readonly onChunk: (name: keyof JobScripts, id: string, chunk: number, args: Arguments) => Promise<unknown>
  readonly onAll: (name: keyof JobScripts, args: Arguments) => Promise<Reply | number>
  /** Returns the jobs of a sorted set whose time is at least `ageMs` milliseconds ago. */
  readonly older: (
    set: "open" | "expiry" | "tombs",
    ageMs: number,
    limit: number,
    now: number | undefined,
  ) => Promise<ReadonlyArray<{ readonly id: string; readonly ageMs: number }>>
  /** Adds chunks in as few round trips as possible without blocking the connection. Returns false if there is no upload. */
  readonly put: (id: string, chunks: ReadonlyArray<NewChunk>, now: number | undefined) => Promise<boolean>
}

/** Maximum number of characters in one round trip. A larger chunk goes alone. */
const roundTripLength = 1_000_000

export const makeJobScriptRunner = (client: Redis | Cluster, keys: JobKeys, texts: JobScripts): JobScriptRunner => {
  const scripts = Object.fromEntries(
    Object.entries(texts).map(([name, text]) => [name, makeRedisScript(text)]),
  ) as Record<keyof JobScripts, ReturnType<typeof makeRedisScript>>
  const all = Object.values(keys.ofAll)

  const run = (name: keyof JobScripts, on: ReadonlyArray<string>, args: Arguments): Promise<unknown> =>
    runRedisScript(client, scripts[name], { keys: on, args })

  return {
    onJob: (name, id, args) => run(name, keys.ofJob(id), args),
    onJobs: (name, ids, args) => Promise.all(ids.map((id) => run(name, keys.ofJob(id), args))),
    onChunk: (name, id, chunk, args) => run(name, keys.ofChunk(id, chunk), args),
    onAll: (name, args) => run(name, all, args) as Promise<Reply | number>,
    older: async (set, ageMs, limit, now) => {
      const [time, ...found] = (await run("older", [keys.ofAll[set]], [clock(now), ageMs, limit])) as Reply
      return Array.from({ length: found.length / 2 }, (_, index) => ({
        id: String(found[2 * index]),
        ageMs: Number(time) - Number(found[2 * index + 1]),
      }))
    },
    put: async (id, chunks, now) => {
      let isUploading = true
      for (const group of groupsOf(chunks)) {
        const put = (chunk: NewChunk) => run("put", keys.ofJob(id), [clock(now), "", ...chunkArguments(chunk)])
        const replies = await Promise.all(group.map(put))
        isUploading &&= replies.every((reply) => reply !== 0)
      }
      return isUploading
    },
  }
}

const groupsOf = (chunks: ReadonlyArray<NewChunk>): ReadonlyArray<ReadonlyArray<NewChunk>> => {
  const groups: Array<Array<NewChunk>> = []
  let length = Infinity
  for (const chunk of chunks) {
    if (length + chunk.payload.length > roundTripLength) {
      groups.push([])
      length = 0
    }
    groups.at(-1)!.push(chunk)
    length += chunk.payload.length
  }
  return groups
}
