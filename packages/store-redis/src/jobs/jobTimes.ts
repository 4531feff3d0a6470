/** The calls of the job store that depend on time: they find silent chunks, and delete expired jobs. */
import type { ChunkRef, Job, JobStore } from "@multistatus/core/store"
import type { Cluster, Redis } from "ioredis"
import type { JobKeys } from "./JobKeys.ts"
import { clock, type Reply, toRefs } from "./JobMessage.ts"
import type { JobScriptRunner } from "./JobScriptRunner.ts"
import type { RedisJobAcceptance, TrackedState } from "./RedisJobAcceptance.ts"

/** Maximum number of jobs that one call looks at. */
const jobsAtOnce = 1_000

/** Maximum number of jobs of one tenant that `due` looks at. */
const jobsPerTenant = 8

/** Time after which a job that counts without being visible is dropped, in milliseconds: its process must be dead. */
const acceptMs = 30_000

export const jobTimes = (
  client: Redis | Cluster,
  keys: JobKeys,
  scripts: JobScriptRunner,
  acceptance: RedisJobAcceptance,
): Pick<JobStore, "overdue" | "sweep" | "due" | "queued"> => {
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
    due: async (limit, now) => {
      const found = (await scripts.onAll("openJobs", ["", jobsAtOnce])) as Reply
      const jobsOf = new Map<string, Array<string>>()
      for (let at = 0; at < found.length; at += 2) {
        const tenant = String(found[at + 1])
        const jobs = jobsOf.get(tenant) ?? []
        if (jobs.length < jobsPerTenant) jobsOf.set(tenant, [...jobs, String(found[at])])
      }
      const groups = [...jobsOf].slice(0, limit)
      const chunks = await scripts.onJobs(
        "firstDue",
        groups.flatMap(([, ids]) => ids),
        [clock(now)],
      )
      const due: Array<Job.DueChunk> = []
      let at = 0
      for (const [tenant, ids] of groups) {
        const first = ids.findIndex((_, index) => chunks[at + index] !== null)
        if (first >= 0) {
          due.push({
            tenant: tenant.startsWith("t") ? tenant.slice(1) : undefined,
            job: ids[first]!,
            chunk: Number(chunks[at + first]),
          })
        }
        at += ids.length
      }
      return due
    },
    queued: async () => Number((await client.hget(keys.ofAll.counts, "q")) ?? 0),
  }
}
