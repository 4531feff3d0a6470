/** Jobs in Redis or Redis Cluster, for any number of servers and workers. */
import type { JobStore } from "@multistatus/core/store"
import type { Cluster, Redis } from "ioredis"
import { makeJobKeys } from "./JobKeys.ts"
import {
  chunkArguments,
  clock,
  jobArguments,
  partText,
  type Reply,
  toEnded,
  toRecord,
  toRefs,
  toStarted,
  toTenant,
} from "./JobMessage.ts"
import { makeJobScriptRunner } from "./JobScriptRunner.ts"
import { type JobScripts, jobScripts } from "./JobScripts.ts"
import { jobTimes } from "./jobTimes.ts"
import { makeRedisAdmission } from "./RedisJobAcceptance.ts"

/** Under which keys a store keeps its jobs. */
export interface RedisJobStoreOptions {
  /** What all keys begin with; without braces. Default `multistatus`. */
  readonly prefix?: string | undefined
}

/** Results that one call of `results` answers with; a chunk that has more comes alone. */
const resultBytes = 1_000_000

/** Chunks that one call of `results` looks at. */
const resultLooks = 1_000

/**
 * Makes a store on a client of ioredis.
 *
 * **Details** Each step is one script and one round trip, but for handing in a job and ending it, which take one more for
 * what spans jobs: see `RedisAdmission` for why a crash between them does no harm. A job is spread over a few keys in the
 * slot of its id; payloads go when their chunk has ended, everything when the job is over. Time is the server's.
 *
 * **Gotchas** Redis forgets at a restart what it has not written to disk: turn on `appendonly`. An eviction policy other
 * than `noeviction` drops jobs at any time, a failover may lose the last moments: see `checkRedis`.
 *
 * **Example** (A store and its queue)
 * ```ts
 * const client = redisClient("redis://127.0.0.1:6379")
 * await checkRedis(client, { jobs: true })
 * const store = redisJobStore(client)
 * ```
 */
export const redisJobStore = (
  client: Redis | Cluster,
  { prefix = "multistatus" }: RedisJobStoreOptions = {},
): JobStore => makeJobStore(client, prefix, jobScripts)

/** @internal */
export const makeJobStore = (client: Redis | Cluster, prefix: string, texts: JobScripts): JobStore => {
  const keys = makeJobKeys(prefix)
  const scripts = makeJobScriptRunner(client, keys, texts)
  const admission = makeRedisAdmission(scripts)
  const times = jobTimes(client, keys, scripts, admission)

  return {
    isTransactional: false,
    submit: async (job, extent, chunks, limits, _options, now) => {
      const [first, ...others] = chunks
      const args = [clock(now), ...jobArguments(job), ...(first === undefined ? [] : chunkArguments(first))]
      await scripts.onJob("put", job.id, args)
      await scripts.put(job.id, others, now)
      return admission.admit(job, extent, limits, now)
    },
    open: async (job, now) => {
      const over = await scripts.onJob("put", job.id, [clock(now), ...jobArguments(job)])
      if (over !== 0) await admission.settle(job.id, "open", { over })
    },
    append: async (id, chunks, now) =>
      chunks.length === 0 ? (await scripts.onJob("put", id, [clock(now), ""])) !== 0 : scripts.put(id, chunks, now),
    close: async (id, extent, limits, _options, now) => {
      const applicant = (await scripts.onJob("applicant", id, [clock(now)])) as Reply | null
      if (applicant === null) return { _tag: "gone" }
      const [tenant, key, lifeMs] = applicant
      const job = { id, tenant: toTenant(tenant), key: String(key) || undefined, lifeMs: Number(lifeMs) }
      return admission.admit(job, extent, limits, now)
    },
    discard: async (id) => {
      await admission.abandon(id)
    },
    start: async ({ job, chunk, dispatch = "" }, now) => {
      const reply = (await scripts.onChunk("start", job, chunk, [clock(now), chunk, dispatch])) as Reply | null
      return reply === null ? undefined : toStarted(job, chunk, reply)
    },
    checkpoint: async ({ job, chunk, epoch }, part, now) =>
      (await scripts.onChunk("checkpoint", job, chunk, [clock(now), chunk, epoch, part.at, partText(part)])) === 1,
    keepAlive: async ({ job, chunk, epoch }, now) =>
      (await scripts.onChunk("keepAlive", job, chunk, [clock(now), chunk, epoch])) === 1,
    commit: async ({ job, chunk, epoch }, { results, tally, halt = "" }, keepMs, _options, now) => {
      const { succeeded, failed, skipped } = tally
      const args = [clock(now), chunk, epoch, results, succeeded, failed, skipped, halt, Math.ceil(keepMs)]
      const reply = (await scripts.onChunk("commit", job, chunk, args)) as Reply | null
      if (reply === null) return { _tag: "refused" }
      const [hasEnded, over, ended, ...due] = reply
      if (hasEnded === 1) await admission.settle(job, "ended", { over })
      // Nothing depends on it: what is not counted now is when the next chunk ends.
      else void admission.settle(job, "open", { ended }).catch(() => undefined)
      return { _tag: "kept", due: toRefs(job, due), hasEnded: hasEnded === 1 }
    },
    postpone: async ({ job, chunk, epoch }, delayMs, now) => {
      const args = [clock(now), chunk, epoch, Math.ceil(delayMs)]
      const reply = (await scripts.onChunk("postpone", job, chunk, args)) as Reply | null
      if (reply === null) return undefined
      const [dispatch, isCancelled] = reply
      if (isCancelled === 1) await admission.settle(job, "open", { since: 0 })
      return { job, chunk, dispatch: Number(dispatch) }
    },
    find: async (id, now) => {
      const reply = (await scripts.onJob("find", id, [clock(now)])) as Reply | null
      if (reply === null) return undefined
      const [state, found] = reply
      if (state === "forgotten") return { state, id, tenant: toTenant(found) }
      return toRecord(id, found as Reply)
    },
    results: async (id, { from, limit, onlyFailed }, now) => {
      const args = [clock(now), from, limit, onlyFailed ? 1 : 0, resultBytes, resultLooks]
      const [next, count, chunks] = (await scripts.onJob("results", id, args)) as Reply
      return {
        chunks: (chunks as ReadonlyArray<Reply>).map(toEnded),
        next: Number(next),
        isLast: Number(next) >= Number(count),
      }
    },
    cancel: async (id, keepMs, now) => {
      const reply = (await scripts.onJob("cancel", id, [clock(now), Math.ceil(keepMs)])) as Reply | null
      if (reply === null) return undefined
      const [hasEnded, over, ended, since, ...refs] = reply
      await (hasEnded === 1 ? admission.settle(id, "ended", { over }) : admission.settle(id, "open", { ended, since }))
      return toRefs(id, refs)
    },
    cancelled: async (ids) => {
      const answers = await scripts.onJobs("stops", ids, [""])
      return ids.filter((_, place) => answers[place] === 1)
    },
    ...times,
  }
}
