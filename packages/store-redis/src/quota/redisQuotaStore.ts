/** Stores quotas in Redis or Redis Cluster. */
import { Gcra, type QuotaDecision, type QuotaStanding, type QuotaStore } from "@multistatus/core/store"
import type { Cluster, Redis } from "ioredis"
import { checkClient, checkPrefix } from "../connection/redisClient.ts"
import { type QuotaScripts, quotaScripts } from "./QuotaScripts.ts"
import { makeRedisScript, type RedisScript, runRedisScript } from "../scripts/RedisScript.ts"

/** Options of `redisQuotaStore`. */
export interface RedisQuotaOptions {
  /** Prefix of all keys, without braces. Default `multistatus`. */
  readonly prefix?: string | undefined
}

/**
 * Makes a quota store on an ioredis client.
 *
 * **Details** A charge is one run of a script, for any number of operations and policies. The counts of a subject are in one
 * hash, which expires when the subject has its whole quota again. The store uses the clock of the server. If ioredis sends a
 * charge again after a lost reply, the repetition is recognised for one minute; a repeated refund for the longest window.
 */
export const redisQuotaStore = (
  client: Redis | Cluster,
  { prefix = "multistatus" }: RedisQuotaOptions = {},
): QuotaStore => {
  checkClient(client, "redisQuotaStore")
  return quotaStoreOn(client, prefix, quotaScripts)
}

/** Makes the store with other scripts, for tests. @internal */
export const quotaStoreOn = (client: Redis | Cluster, prefix: string, texts: QuotaScripts): QuotaStore => {
  checkPrefix(prefix)
  const charge = makeRedisScript(texts.charge)
  const refund = makeRedisScript(texts.refund)
  const peek = makeRedisScript(texts.peek)

  const run = async (script: RedisScript, keys: ReadonlyArray<string>, args: ReadonlyArray<string | number>) =>
    (await runRedisScript(client, script, { keys, args })) as ReadonlyArray<unknown>
  const nameOf = (subject: string, ...rest: ReadonlyArray<string>) =>
    [`${prefix}:quota:{${subject}}`, ...rest].join(":")

  return {
    charge: async (request) => {
      Gcra.checkCharge(request)
      const { subject, id, minimum, demands, now } = request
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
    refund: async (request) => {
      Gcra.checkRefund(request)
      const { subject, id, amounts, now } = request
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
