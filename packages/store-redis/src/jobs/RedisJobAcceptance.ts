/**
 * Admits jobs of a Redis store, in steps that may each be the last.
 *
 * **Details** What belongs to a job is in the slot of its id, so that a cluster spreads jobs. What spans jobs (how many
 * operations wait, how many jobs a tenant has, which job a key names, which jobs are to be looked at) is in another slot,
 * and no script reaches both. Hence an order of steps that is safe to break off anywhere:
 *
 * 1. The job is put down in its own slot as `uploading`. Nobody sees it; broken off here, it expires.
 * 2. It is admitted: checked against limits and keys, and counted, in one script. Broken off here, it counts without being
 *    seen. Whoever finds it so after a while (`overdue`, or a job of the same key) first drops it in its own slot, if it is
 *    still uploading, and then takes back what it counts.
 * 3. It is accepted: it becomes `queued` in its own slot, if it is still uploading. As this and being dropped exclude each
 *    other in one slot, a job is seen if and only if it counts.
 *
 * A chunk, or a job, ends in its own slot; then it counts no more. Broken off in between, it counts until the next chunk
 * has ended, or `overdue` comes by: limits are never exceeded.
 */
import type { ChunkRef, JobAcceptance, JobExtent, JobLimits } from "@multistatus/core/store"
import { setTimeout as sleep } from "node:timers/promises"
import { clock, type Reply, tenantArgument, toRefs } from "./JobMessage.ts"
import type { JobScriptRunner } from "./JobScriptRunner.ts"

/** What admission asks of a job. */
export interface Applicant {
  readonly id: string
  readonly tenant: string | undefined
  readonly key: string | undefined
  readonly lifeMs: number
}

/** What became of a job, as far as it concerns others. */
export type Became = "open" | "ended" | "forgotten" | "gone"

/** What is known of a job besides. */
export interface JobFacts {
  /** When it is over, or when it is forgotten that it was there. */
  readonly over?: unknown
  /** How many of its operations have ended. */
  readonly ended?: unknown
  /** Since when none of its chunks is silent. */
  readonly since?: unknown
}

export interface RedisJobAcceptance {
  /** Admits and accepts a job that is uploading, or drops it. */
  readonly admit: (job: Applicant, extent: JobExtent, limits: JobLimits, now?: number) => Promise<JobAcceptance>
  /** Takes note of what became of a job. */
  readonly settle: (id: string, became: Became, facts?: JobFacts) => Promise<void>
  /** Drops a job that was admitted and not accepted; whether there is none now. */
  readonly abandon: (id: string) => Promise<boolean>
}

/** How long a job of the same key may take from being admitted to being accepted. */
const acceptMs = 3_000

const lookAgainMs = 25

export const makeRedisAdmission = (scripts: JobScriptRunner): RedisJobAcceptance => {
  const settle = async (id: string, became: Became, facts: JobFacts = {}): Promise<void> => {
    const { over = "", ended = "", since = "" } = facts
    await scripts.onAll("settle", ["", id, became, String(over), String(ended), String(since)])
  }

  const abandon = async (id: string): Promise<boolean> => {
    if ((await scripts.onJob("discard", id, [""])) !== 1) return false
    await settle(id, "gone")
    return true
  }

  /** Whether another job of the same key was accepted; one that was not for so long is dropped. */
  const isAccepted = async (id: string): Promise<boolean> => {
    const deadline = performance.now() + acceptMs
    while ((await scripts.onJob("find", id, [0])) === null) {
      if (performance.now() > deadline) return !(await abandon(id))
      await sleep(lookAgainMs)
    }
    return true
  }

  const ask = async (job: Applicant, extent: JobExtent, limits: JobLimits, now: number | undefined): Promise<Reply> => {
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
      const reply = (await scripts.onAll("admit", args)) as Reply
      if (reply[0] !== "exists" || (await isAccepted(String(reply[1])))) return reply
    }
  }

  const accept = async (id: string, extent: JobExtent, now: number | undefined): Promise<JobAcceptance> => {
    const { total, chunks, window, fingerprint } = extent
    const due = (await scripts.onJob("accept", id, [clock(now), total, chunks, window, fingerprint])) as Reply | null
    if (due !== null) return { _tag: "accepted", due: toRefs(id, due) satisfies ReadonlyArray<ChunkRef> }
    await settle(id, "gone")
    return { _tag: "gone" }
  }

  return {
    settle,
    abandon,
    admit: async (job, extent, limits, now) => {
      const [tag, value, isSame] = await ask(job, extent, limits, now)
      if (tag === "admitted" || tag === "known") return accept(job.id, extent, now)
      await abandon(job.id)
      if (tag === "exists") return { _tag: "exists", id: String(value), isSame: isSame === 1 }
      return tag === "full" ? { _tag: "full", queued: Number(value) } : { _tag: "tenant-full" }
    },
  }
}
