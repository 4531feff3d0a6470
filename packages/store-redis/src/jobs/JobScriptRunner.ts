/** Runs the scripts of the job store on their keys. */
import type { NewChunk } from "@multistatus/core/store"
import type { Cluster, Redis } from "ioredis"
import type { JobKeys } from "./JobKeys.ts"
import { type Arguments, chunkArguments, clock, type Reply } from "./JobMessage.ts"
import type { JobScripts } from "./JobScripts.ts"
import { makeRedisScript, runRedisScript } from "../scripts/RedisScript.ts"

/** Each answers what the script answered. */
export interface JobScriptRunner {
  readonly onJob: (name: keyof JobScripts, id: string, args: Arguments) => Promise<unknown>
  readonly onJobs: (name: keyof JobScripts, ids: ReadonlyArray<string>, args: Arguments) => Promise<Reply>
  readonly onChunk: (name: keyof JobScripts, id: string, chunk: number, args: Arguments) => Promise<unknown>
  readonly onAll: (name: keyof JobScripts, args: Arguments) => Promise<Reply | number>
  /** Jobs that a sorted set has with a time that is so old, and how old it is. */
  readonly older: (
    set: "open" | "expiry" | "tombs",
    ageMs: number,
    limit: number,
    now: number | undefined,
  ) => Promise<ReadonlyArray<{ readonly id: string; readonly ageMs: number }>>
  /** Adds chunks, as many in one round trip as a connection takes without keeping others waiting. */
  readonly put: (id: string, chunks: ReadonlyArray<NewChunk>, now: number | undefined) => Promise<boolean>
}

/** How many characters go to Redis in one round trip; a chunk that is larger goes alone. */
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
      return Array.from({ length: found.length / 2 }, (_, place) => ({
        id: String(found[2 * place]),
        ageMs: Number(time) - Number(found[2 * place + 1]),
      }))
    },
    put: async (id, chunks, now) => {
      let isUploading = true
      for (const group of grouped(chunks)) {
        const put = (chunk: NewChunk) => run("put", keys.ofJob(id), [clock(now), "", ...chunkArguments(chunk)])
        const answers = await Promise.all(group.map(put))
        isUploading &&= answers.every((answer) => answer !== 0)
      }
      return isUploading
    },
  }
}

const grouped = (chunks: ReadonlyArray<NewChunk>): ReadonlyArray<ReadonlyArray<NewChunk>> => {
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
