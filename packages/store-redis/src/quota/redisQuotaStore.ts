/** Quotas in Redis or Redis Cluster, for any number of processes. */
import { Gcra, type QuotaDecision, type QuotaStanding, type QuotaStore } from "@multistatus/core/store"
import type { Cluster, Redis } from "ioredis"
import { type QuotaScripts, quotaScripts } from "./QuotaScripts.ts"
import { makeRedisScript, type RedisScript, runRedisScript } from "../scripts/RedisScript.ts"

/** Under which keys a store keeps its counts. */
export interface RedisQuotaOptions {
  /** What all keys begin with; without braces. Default `multistatus`. */
  readonly prefix?: string | undefined
}

/**
 * Makes a store of quotas on a client of ioredis.
 *
 * **Details** A charge is one run of a script, whatever the number of its operations and policies. All counts of a subject
 * are in one hash, which expires when its whole limits are there again. Time is the server's. A charge that ioredis sends
 * again because its answer was lost is recognised for a minute, a refund as long as the longest window.
 */
export const redisQuotaStore = (
  client: Redis | Cluster,
  { prefix = "multistatus" }: RedisQuotaOptions = {},
): QuotaStore => quotaStoreOn(client, prefix, quotaScripts)

/** The store on scripts of one's own, for tests of them. @internal */
export const quotaStoreOn = (client: Redis | Cluster, prefix: string, texts: QuotaScripts): QuotaStore => {
  if (/[{}]/.test(prefix)) throw new Error(`A prefix holds no braces, unlike ${JSON.stringify(prefix)}`)
  const charge = makeRedisScript(texts.charge)
  const refund = makeRedisScript(texts.refund)
  const peek = makeRedisScript(texts.peek)

  const run = async (script: RedisScript, keys: ReadonlyArray<string>, args: ReadonlyArray<string | number>) =>
    (await runRedisScript(client, script, { keys, args })) as ReadonlyArray<unknown>
  const nameOf = (subject: string, ...rest: ReadonlyArray<string>) =>
    [`${prefix}:quota:{${subject}}`, ...rest].join(":")

  return {
    charge: async (given) => {
      Gcra.checkCharge(given)
      const { subject, id, minimum, demands, now } = given
      const args = demands.flatMap(({ policy, limit, windowMs, base, runs }) => [
        policy,
        limit,
        windowMs,
        base,
        runs.length,
        ...runs.flatMap(({ count, cost }) => [count, cost]),
      ])
      const keys = [nameOf(subject), nameOf(subject, "charge", id)]
      const reply = await run(charge, keys, [now ?? "", minimum, demands.length, ...args])
      const [granted, admitted, retry, ...standings] = reply.map(Number) as [number, number, number, ...Array<number>]
      const decision: QuotaDecision = {
        granted: granted === 1,
        admitted,
        retryAfterMs: retry < 0 ? "never" : retry,
        standings: demands.map(({ policy }, index): QuotaStanding => ({
          policy,
          remaining: standings[index * 3]!,
          resetMs: standings[index * 3 + 1]!,
          violated: standings[index * 3 + 2] === 1,
        })),
      }
      return decision
    },
    refund: async (given) => {
      Gcra.checkRefund(given)
      const { subject, id, amounts, now } = given
      const args = amounts.flatMap(({ policy, limit, windowMs, amount }) => [policy, limit, windowMs, amount])
      await run(refund, [nameOf(subject), nameOf(subject, "refund", id)], [now ?? "", ...args])
    },
    peek: async (subject, rules, now) => {
      Gcra.checkName(subject, 43)
      Gcra.checkRules(rules)
      const args = rules.flatMap(({ policy, limit, windowMs }) => [policy, limit, windowMs])
      const reply = (await run(peek, [nameOf(subject)], [now ?? "", ...args])).map(Number)
      return rules.map(({ policy }, index) => ({
        policy,
        remaining: reply[index * 2]!,
        resetMs: reply[index * 2 + 1]!,
        violated: false,
      }))
    },
  }
}
