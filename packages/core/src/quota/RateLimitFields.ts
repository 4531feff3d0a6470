/**
 * The response header fields `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers): lists of strings
 * with integer parameters (RFC 9651). Policy names are checked in the configuration, so nothing needs escaping.
 */
import type { QuotaRule, QuotaStanding } from "./QuotaCharge.ts"
import type { QuotaSettings } from "./QuotaSettings.ts"

type Fields = Readonly<Record<string, string>>

/** Returns the policies of a quota in the order of the fields: the one that counts batches comes last. */
export const rulesOf = ({ policies, envelopes }: QuotaSettings): ReadonlyArray<QuotaRule> =>
  envelopes === undefined ? policies : [...policies, envelopes]

/** Writes the fields, in whole units and seconds. */
export const write = (settings: QuotaSettings, standings: ReadonlyArray<QuotaStanding>): Fields => {
  const { version, legacy } = settings.fields
  const rules = rulesOf(settings)
  const [remainingName, timeName] = version === "draft-11" ? ["a", "w"] : ["r", "t"]
  const item = ({ policy, remaining, resetMs }: QuotaStanding) =>
    `"${policy}";${remainingName}=${units(remaining)};${timeName}=${seconds(resetMs)}`
  return {
    ...(version !== undefined && {
      "ratelimit-policy": rules
        .map(({ policy, limit, windowMs }) => `"${policy}";q=${units(limit)};w=${seconds(windowMs)}`)
        .join(", "),
      ratelimit: standings.map(item).join(", "),
    }),
    ...(legacy && writeLegacy(rules, standings)),
  }
}

// The legacy fields describe one policy only: the one with the least units left.
const writeLegacy = (rules: ReadonlyArray<QuotaRule>, standings: ReadonlyArray<QuotaStanding>): Fields => {
  const lowest = standings.reduce((lowest, standing) => (standing.remaining < lowest.remaining ? standing : lowest))
  const { limit } = rules.find(({ policy }) => policy === lowest.policy)!
  return {
    "x-ratelimit-limit": String(units(limit)),
    "x-ratelimit-remaining": String(units(lowest.remaining)),
    "x-ratelimit-reset": String(seconds(lowest.resetMs)),
  }
}

const units = (milli: number): number => Math.floor(milli / 1000)

const seconds = (milliseconds: number): number => Math.ceil(milliseconds / 1000)
