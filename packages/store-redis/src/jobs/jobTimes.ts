/** What a job store does because time has passed: finding chunks that became silent, and forgetting jobs. */
import type { ChunkRef, JobStore } from "@multistatus/core/store"
import type { Cluster, Redis } from "ioredis"
import type { JobKeys } from "./JobKeys.ts"
import { clock, type Reply, toRefs } from "./JobMessage.ts"
import type { JobScriptRunner } from "./JobScriptRunner.ts"
import type { Became, RedisJobAcceptance } from "./RedisJobAcceptance.ts"

/** How many jobs are looked at in one call. */
const looks = 1_000

/** How long a job may count without being seen: whoever made it is between two round trips, or dead. */
const acceptMs = 30_000

export const jobTimes = (
  client: Redis | Cluster,
  keys: JobKeys,
  scripts: JobScriptRunner,
  admission: RedisJobAcceptance,
): Pick<JobStore, "overdue" | "sweep" | "queued"> => {
  const forget = async (id: string, tombstoneMs: number, now: number | undefined): Promise<number> => {
    const reply = (await scripts.onJob("forget", id, [clock(now), Math.ceil(tombstoneMs)])) as Reply
    const became = reply[0] as Became
    await admission.settle(id, became, { over: reply[1] })
    return became === "forgotten" || became === "gone" ? 1 : 0
  }

  return {
    overdue: async (silentMs, limit, now) => {
      const refs: Array<ChunkRef> = []
      // One after the other, as what is found must not exceed the limit: it would count as heard of, and not be sent.
      for (const { id, ageMs } of await scripts.older("open", silentMs, looks, now)) {
        if (refs.length >= limit) break
        const reply = (await scripts.onJob("renew", id, [clock(now), silentMs, limit - refs.length])) as Reply
        const [became, fact, ended, ...due] = reply
        if (became === "open") {
          refs.push(...toRefs(id, due))
          await admission.settle(id, became, { since: fact, ended })
        } else if (became === "ended" || became === "gone") {
          await admission.settle(id, became, { over: fact })
        } else if (became === "uploading" && ageMs >= acceptMs) {
          await admission.abandon(id)
        }
      }
      return refs
    },
    sweep: async (limit, tombstoneMs, now) => {
      let found = 0
      for (const set of ["expiry", "tombs"] as const) {
        for (const { id } of await scripts.older(set, 0, limit, now)) found += await forget(id, tombstoneMs, now)
      }
      return found
    },
    queued: async () => Number((await client.hget(keys.ofAll.counts, "q")) ?? 0),
  }
}
