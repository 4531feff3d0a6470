/**
 * Accepts jobs, in steps that are safe if the process dies between them.
 *
 * **Details** The keys of a job are in the slot of its id, so that a cluster spreads jobs. The keys that span jobs (unfinished
 * operations, jobs of a tenant, jobs by key, jobs by time) are in another slot, and no script can reach both. Hence these steps:
 *
 * 1. `put`: the job is stored in its own slot as `uploading`. Nobody sees it. If the process dies now, the job expires.
 * 2. `reserve`: the job is checked against limits and keys, and counted, in one script. If the process dies now, the job counts
 *    without being visible. After a while it is found by `overdue`, or by a job with the same key, dropped in its own slot
 *    if it is still `uploading`, and then removed from the counts.
 * 3. `accept`: the job becomes `queued` in its own slot, if it is still `uploading`. This and the drop exclude each other in one
 *    slot, so that a job is visible if and only if it counts.
 *
 * A chunk or a job ends in its own slot first, and is removed from the counts afterwards. If the process dies in between, it
 * counts until the next chunk ends or `overdue` runs: limits are never exceeded.
 */
import type { JobAcceptance, JobExtent, JobLimits } from "@multistatus/core/store"
import { setTimeout as sleep } from "node:timers/promises"
import { clock, type Reply, tenantArgument, toRefs } from "./JobMessage.ts"
import type { JobScriptRunner } from "./JobScriptRunner.ts"

/** A job that is to be accepted. */
export interface Applicant {
  readonly id: string
  readonly tenant: string | undefined
  readonly key: string | undefined
  readonly lifeMs: number
}

/** The state of a job in the keys that span jobs. */
export type TrackedState = "open" | "ended" | "forgotten" | "gone"

/** What else the keys that span jobs keep of a job. */
export interface TrackedTimes {
  /** When the job, or its tombstone, expires. */
  readonly expiresAt?: unknown
  /** Number of its operations that have ended. */
  readonly ended?: unknown
  /** A time since which none of its chunks was silent. */
  readonly since?: unknown
}

export interface RedisJobAcceptance {
  /** Accepts an upload, or drops it. */
  readonly accept: (job: Applicant, extent: JobExtent, limits: JobLimits, now?: number) => Promise<JobAcceptance>
  /** Updates the keys that span jobs. */
  readonly track: (id: string, state: TrackedState, times?: TrackedTimes) => Promise<void>
  /** Drops a job that was not accepted. Returns false if it was. */
  readonly drop: (id: string) => Promise<boolean>
}

/** Maximum time between `reserve` and `accept` of a job with the same key, in milliseconds. */
const acceptMs = 3_000

const pollMs = 25

export const redisJobAcceptance = (scripts: JobScriptRunner): RedisJobAcceptance => {
  const track = async (id: string, state: TrackedState, times: TrackedTimes = {}): Promise<void> => {
    const { expiresAt = "", ended = "", since = "" } = times
    await scripts.onAll("track", ["", id, state, String(expiresAt), String(ended), String(since)])
  }

  const drop = async (id: string): Promise<boolean> => {
    if ((await scripts.onJob("discard", id, [""])) !== 1) return false
    await track(id, "gone")
    return true
  }

  // Whether the job with the same key is accepted, now or soon. It is dropped if it takes too long.
  const isAccepted = async (id: string): Promise<boolean> => {
    const deadline = performance.now() + acceptMs
    while ((await scripts.onJob("find", id, [0])) === null) {
      if (performance.now() > deadline) return !(await drop(id))
      await sleep(pollMs)
    }
    return true
  }

  const reserve = async (
    job: Applicant,
    extent: JobExtent,
    limits: JobLimits,
    now: number | undefined,
  ): Promise<Reply> => {
    const args = [
      clock(now),
      job.id,
      extent.total,
      tenantArgument(job.tenant),
      job.key ?? "",
      extent.fingerprint,
      limits.queuedOperations,
      limits.jobsPerTenant ?? "",
      Math.ceil(job.lifeMs),
    ]
    for (;;) {
      const reply = (await scripts.onAll("reserve", args)) as Reply
      if (reply[0] !== "exists" || (await isAccepted(String(reply[1])))) return reply
    }
  }

  const acceptReserved = async (id: string, extent: JobExtent, now: number | undefined): Promise<JobAcceptance> => {
    const { total, chunks, window, fingerprint } = extent
    const due = (await scripts.onJob("accept", id, [clock(now), total, chunks, window, fingerprint])) as Reply | null
    if (due !== null) return { _tag: "accepted", due: toRefs(id, due) }
    await track(id, "gone")
    return { _tag: "gone" }
  }

  return {
    track,
    drop,
    accept: async (job, extent, limits, now) => {
      const [tag, value, isSame] = await reserve(job, extent, limits, now)
      if (tag === "reserved" || tag === "known") return acceptReserved(job.id, extent, now)
      await drop(job.id)
      if (tag === "exists") return { _tag: "exists", id: String(value), isSame: isSame === 1 }
      return tag === "full" ? { _tag: "full", queued: Number(value) } : { _tag: "tenant-full" }
    },
  }
}
