/** The calls of the job store that depend on time: they find silent chunks, and delete expired jobs. */
import type { ChunkRef, JobStore } from "@multistatus/core/store"
import type { Cluster, Redis } from "ioredis"
import type { JobKeys } from "./JobKeys.ts"
import { clock, type Reply, toRefs } from "./JobMessage.ts"
import type { JobScriptRunner } from "./JobScriptRunner.ts"
import type { RedisJobAcceptance, TrackedState } from "./RedisJobAcceptance.ts"

/** Maximum number of jobs that one call looks at. */
const jobsAtOnce = 1_000

/** Time after which a job that counts without being visible is dropped, in milliseconds: its process must be dead. */
const acceptMs = 30_000

export const jobTimes = (
  client: Redis | Cluster,
  keys: JobKeys,
  scripts: JobScriptRunner,
  acceptance: RedisJobAcceptance,
): Pick<JobStore, "overdue" | "sweep" | "queued"> => {
  const forget = async (id: string, tombstoneMs: number, now: number | undefined): Promise<number> => {
    const reply = (await scripts.onJob("forget", id, [clock(now), Math.ceil(tombstoneMs)])) as Reply
    const state = reply[0] as TrackedState
    await acceptance.track(id, state, { expiresAt: reply[1] })
    return state === "forgotten" || state === "gone" ? 1 : 0
  }

  return {
    overdue: async (silentMs, limit, now) => {
      const refs: Array<ChunkRef> = []
      // One after the other: a ref beyond the limit would count as sent without being returned.
      for (const { id, ageMs } of await scripts.older("open", silentMs, jobsAtOnce, now)) {
        if (refs.length >= limit) break
        const reply = (await scripts.onJob("overdue", id, [clock(now), silentMs, limit - refs.length])) as Reply
        const [state, time, ended, ...due] = reply
        if (state === "open") {
          refs.push(...toRefs(id, due))
          await acceptance.track(id, state, { since: time, ended })
        } else if (state === "ended" || state === "gone") {
          await acceptance.track(id, state, { expiresAt: time })
        } else if (state === "uploading" && ageMs >= acceptMs) {
          await acceptance.drop(id)
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
