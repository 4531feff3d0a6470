/**
 * How callers stand, as response header fields: `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers),
 * lists of strings with integer parameters (RFC 9651). Names of policies are checked when they are configured, so that
 * nothing in here needs escaping.
 */
import type { QuotaRule, QuotaStanding } from "./QuotaCharge.ts"
import type { QuotaSettings } from "./QuotaSettings.ts"

type Fields = Readonly<Record<string, string>>

/** The policies of a quota, as they are told: in order, what counts envelopes last. */
export const rulesOf = ({ policies, envelopes }: QuotaSettings): ReadonlyArray<QuotaRule> =>
  envelopes === undefined ? policies : [...policies, envelopes]

/** Writes the fields. Quotas are told in whole units and seconds. */
export const write = (settings: QuotaSettings, standings: ReadonlyArray<QuotaStanding>): Fields => {
  const { version, legacy } = settings.fields
  const rules = rulesOf(settings)
  const [left, time] = version === "draft-11" ? ["a", "w"] : ["r", "t"]
  const item = ({ policy, remaining, resetMs }: QuotaStanding) =>
    `"${policy}";${left}=${units(remaining)};${time}=${seconds(resetMs)}`
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

// They have room for one policy: the one that a client will meet first.
const writeLegacy = (rules: ReadonlyArray<QuotaRule>, standings: ReadonlyArray<QuotaStanding>): Fields => {
  const scarcest = standings.reduce((least, standing) => (standing.remaining < least.remaining ? standing : least))
  const { limit } = rules.find(({ policy }) => policy === scarcest.policy)!
  return {
    "x-ratelimit-limit": String(units(limit)),
    "x-ratelimit-remaining": String(units(scarcest.remaining)),
    "x-ratelimit-reset": String(seconds(scarcest.resetMs)),
  }
}

const units = (milli: number): number => Math.floor(milli / 1000)

const seconds = (milliseconds: number): number => Math.ceil(milliseconds / 1000)
