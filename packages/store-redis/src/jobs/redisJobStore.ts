/** Stores jobs in Redis or Redis Cluster. */
import { Job, type JobStore } from "@multistatus/core/store"
import type { Cluster, Redis } from "ioredis"
import { makeJobKeys } from "./JobKeys.ts"
import {
  chunkArguments,
  clock,
  jobArguments,
  type Reply,
  resultsText,
  toEnded,
  toRecord,
  toRefs,
  toStarted,
  toTenant,
} from "./JobMessage.ts"
import { makeJobScriptRunner } from "./JobScriptRunner.ts"
import { type JobScripts, jobScripts } from "./JobScripts.ts"
import { jobTimes } from "./jobTimes.ts"
import { redisJobAcceptance } from "./RedisJobAcceptance.ts"

/** Options of the store. */
export interface RedisJobStoreOptions {
  /** The prefix of all keys, without braces. Default `multistatus`. */
  readonly prefix?: string | undefined
}

/** Maximum size of the results that one call of `results` returns, in bytes. A larger chunk is returned alone. */
const resultBytes = 1_000_000

/** Maximum number of chunks that one call of `results` looks at. */
const resultChunks = 1_000

/**
 * Makes a job store on a client of ioredis.
 *
 * **Details** A step is one script and one round trip. Submitting and ending a job takes one more, for the keys that span jobs;
 * see `RedisJobAcceptance` for why a crash between them does no harm. A job consists of a few keys in the slot of its id.
 * Payloads are deleted when their chunk ends, everything when the job expires. Time is that of the server.
 *
 * **Gotchas** After a restart Redis has only what it wrote to disk: turn on `appendonly`. An eviction policy other than
 * `noeviction` deletes jobs at any time, and a failover may lose the last writes. `checkRedis` checks both.
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
  const acceptance = redisJobAcceptance(scripts)

  return {
    isTransactional: false,
    submit: async (job, extent, chunks, limits, _options, now) => {
      const [first, ...others] = chunks
      const args = [clock(now), ...jobArguments(job), ...(first === undefined ? [] : chunkArguments(first))]
      await scripts.onJob("put", job.id, args)
      await scripts.put(job.id, others, now)
      return acceptance.accept(job, extent, limits, now)
    },
    open: async (job, now) => {
      const expiresAt = await scripts.onJob("put", job.id, [clock(now), ...jobArguments(job)])
      if (expiresAt !== 0) await acceptance.track(job.id, "open", { expiresAt })
    },
    append: async (id, chunks, now) =>
      chunks.length === 0 ? (await scripts.onJob("put", id, [clock(now), ""])) !== 0 : scripts.put(id, chunks, now),
    close: async (id, extent, limits, _options, now) => {
      const applicant = (await scripts.onJob("applicant", id, [clock(now)])) as Reply | null
      if (applicant === null) return { _tag: "gone" }
      const [tenant, key, lifeMs] = applicant
      const job = { id, tenant: toTenant(tenant), key: String(key) || undefined, lifeMs: Number(lifeMs) }
      return acceptance.accept(job, extent, limits, now)
    },
    discard: async (id) => {
      await acceptance.drop(id)
    },
    start: async ({ job, chunk, dispatch = "" }, now) => {
      const reply = (await scripts.onChunk("start", job, chunk, [clock(now), chunk, dispatch])) as Reply | null
      return reply === null ? undefined : toStarted(job, chunk, reply)
    },
    checkpoint: async ({ job, chunk, epoch }, part, now) =>
      (await scripts.onChunk("checkpoint", job, chunk, [clock(now), chunk, epoch, part.at, resultsText(part)])) === 1,
    keepAlive: async ({ job, chunk, epoch }, now) =>
      (await scripts.onChunk("keepAlive", job, chunk, [clock(now), chunk, epoch])) === 1,
    commit: async ({ job, chunk, epoch }, outcome, keepMs, _options, now) => {
      const { succeeded, failed, skipped } = Job.tallyOf(outcome.outcomes)
      const text = resultsText(outcome)
      const args = [clock(now), chunk, epoch, text, succeeded, failed, skipped, outcome.halt ?? "", Math.ceil(keepMs)]
      const reply = (await scripts.onChunk("commit", job, chunk, args)) as Reply | null
      if (reply === null) return { _tag: "refused" }
      const [hasEnded, expiresAt, ended, ...due] = reply
      if (hasEnded === 1) await acceptance.track(job, "ended", { expiresAt })
      // Not awaited, and an error does not matter: the end of the next chunk corrects the counts.
      else void acceptance.track(job, "open", { ended }).catch(() => undefined)
      return { _tag: "kept", due: toRefs(job, due), hasEnded: hasEnded === 1 }
    },
    postpone: async ({ job, chunk, epoch }, delayMs, now, waitsFor) => {
      const args = [clock(now), chunk, epoch, Math.ceil(delayMs), waitsFor ?? ""]
      const reply = (await scripts.onChunk("postpone", job, chunk, args)) as Reply | null
      if (reply === null) return undefined
      const [dispatch, isCancelled] = reply
      if (isCancelled === 1) await acceptance.track(job, "open", { since: 0 })
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
      const args = [clock(now), from, limit, onlyFailed ? 1 : 0, resultBytes, resultChunks]
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
      const [hasEnded, expiresAt, ended, since, ...refs] = reply
      if (hasEnded === 1) await acceptance.track(id, "ended", { expiresAt })
      else await acceptance.track(id, "open", { ended, since })
      return toRefs(id, refs)
    },
    cancelled: async (ids) => {
      const replies = await scripts.onJobs("isCancelled", ids, [""])
      return ids.filter((_, index) => replies[index] === 1)
    },
    ...jobTimes(client, keys, scripts, acceptance),
  }
}
