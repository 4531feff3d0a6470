/**
 * The generic cell rate algorithm over batches: the arithmetic of quotas, without a clock and without a store.
 *
 * One number stands for all that a policy has admitted: the arrival, the moment at which the whole limit is there again.
 * Times are milliseconds since 1970, amounts milli-units.
 */
import type { QuotaCharge, QuotaDecision, QuotaDemand, QuotaRefund, QuotaRule, QuotaStanding } from "./QuotaCharge.ts"

// What rounding leaves of a milli-unit must neither admit nor deny.
const epsilon = 1e-6

/** What deciding has led to. */
export interface Decided {
  readonly decision: QuotaDecision
  /** The arrivals as they are now, in the order of the demands; undefined where nothing was charged. */
  readonly arrivals: ReadonlyArray<number> | undefined
}

/** Decides one charge. `arrivals` are those of its demands, undefined for a policy of which nothing is known. */
export const decide = (
  { demands, minimum }: QuotaCharge,
  arrivals: ReadonlyArray<number | undefined>,
  now: number,
): Decided => {
  const levels = demands.map((demand, index) => levelOf(demand, arrivals[index], now))
  const fitting = demands.map((demand, index) => fit(demand, levels[index]!.available))
  const total = Math.max(0, ...demands.map(countOf))
  const most = Math.min(total, ...fitting)
  const granted = most >= minimum && (most > 0 || total === 0)
  const admitted = granted ? most : 0
  const wanted = granted ? total : Math.max(minimum, Math.min(total, 1))
  const waits: Array<number | "never"> = []
  const taken: Array<number> = []
  const standings = demands.map((demand, index): QuotaStanding => {
    const { available, arrival } = levels[index]!
    const cost = costOf(demand, admitted)
    // What was left out comes in a batch of its own, and pays the base again.
    const missing = granted ? costOf(demand, admitted + 1) - cost + demand.base : costOf(demand, wanted)
    if (!granted || admitted < total) waits.push(waitFor(missing, demand, granted ? available - cost : available))
    taken.push(granted ? arrival + (cost * demand.windowMs) / demand.limit : arrival)
    return standingOf(demand, taken[index]!, now, fitting[index]! < wanted)
  })
  const retryAfterMs = waits.reduce(longest, 0)
  return { decision: { granted, admitted, retryAfterMs, standings }, arrivals: granted ? taken : undefined }
}

const longest = (a: number | "never", b: number | "never") =>
  a === "never" || b === "never" ? "never" : Math.max(a, b)

/** How a policy stands, by its arrival. */
export const standing = (rule: QuotaRule, arrival: number | undefined, now: number): QuotaStanding =>
  standingOf(rule, levelOf(rule, arrival, now).arrival, now, false)

/** The arrival after `amount` was given back: never earlier than now. */
export const refund = (
  rule: QuotaRule & { readonly amount: number },
  arrival: number | undefined,
  now: number,
): number => Math.max(now, levelOf(rule, arrival, now).arrival - (rule.amount * rule.windowMs) / rule.limit)

/** How many operations a demand is for. */
export const countOf = ({ runs }: QuotaDemand): number => runs.reduce((sum, { count }) => sum + count, 0)

/** Milli-units that the first `count` operations cost, with the base; nothing for none, unless there are none. */
export const costOf = (demand: QuotaDemand, count: number): number => {
  if (count === 0 && demand.runs.length > 0) return 0
  let left = count
  let cost = demand.base
  for (const run of demand.runs) {
    const taken = Math.min(left, run.count)
    cost += taken * run.cost
    left -= taken
  }
  return cost
}

/** How many operations fit in so many milli-units; -1 where a demand without operations does not. */
export const fit = ({ base, runs }: QuotaDemand, available: number): number => {
  let room = available + epsilon - base
  if (runs.length === 0) return room >= 0 ? Number.POSITIVE_INFINITY : -1
  if (room < 0) return 0
  let fitting = 0
  for (const { count, cost } of runs) {
    const taken = cost === 0 ? count : Math.min(count, Math.floor(room / cost))
    fitting += taken
    room -= taken * cost
    if (taken < count) break
  }
  return fitting
}

// A policy whose limit or window was made smaller is full again after one window, not after one of the old ones.
const levelOf = ({ limit, windowMs }: QuotaRule, known: number | undefined, now: number) => {
  const arrival = Math.min(Math.max(known ?? now, now), now + windowMs)
  return { arrival, available: ((now + windowMs - arrival) * limit) / windowMs }
}

const waitFor = (cost: number, { limit, windowMs }: QuotaRule, available: number): number | "never" => {
  if (cost > limit) return "never"
  const short = cost - available
  return short <= epsilon ? 0 : Math.max(1, Math.ceil((short * windowMs) / limit - epsilon))
}

const standingOf = ({ policy, limit, windowMs }: QuotaRule, arrival: number, now: number, violated: boolean) => ({
  policy,
  remaining: Math.max(0, Math.floor(((now + windowMs - arrival) * limit) / windowMs + epsilon)),
  resetMs: Math.max(0, Math.ceil(arrival - now - epsilon)),
  violated,
})

/**
 * Throws a `RangeError` at a charge whose amounts are no whole numbers within their bounds: a store must not be handed
 * what it would take for nothing.
 */
export const checkCharge = ({ subject, id, demands, minimum, now }: QuotaCharge): void => {
  checkName(subject, 43)
  checkName(id, 22)
  checkRules(demands)
  const counts = new Set(demands.map(countOf))
  if (counts.size > 1) throw new RangeError("Every demand of a charge has the same number of operations")
  for (const { base, runs } of demands) {
    whole(base, 0, "a base")
    for (const { count, cost } of runs) {
      whole(count, 1, "a number of operations")
      whole(cost, 0, "a cost")
    }
  }
  for (const demand of demands) whole(costOf(demand, countOf(demand)), 0, "the cost of a batch")
  whole(minimum, 0, "a minimum")
  if (now !== undefined) whole(now, 0, "a time")
}

/** Throws a `RangeError` at amounts that are no whole numbers from 0. */
export const checkRefund = ({ subject, id, amounts }: QuotaRefund): void => {
  checkName(subject, 43)
  checkName(id, 22)
  checkRules(amounts)
  for (const { amount } of amounts) whole(amount, 0, "an amount")
}

/** Throws a `RangeError` at limits and windows that are no whole numbers from 1. */
export const checkRules = (rules: ReadonlyArray<QuotaRule>): void => {
  for (const { limit, windowMs } of rules) {
    whole(limit, 1, "a limit")
    whole(windowMs, 1, "a window")
  }
}

/** Throws a `RangeError` at what is no hash or id of so many characters. */
export const checkName = (name: string, length: number): void => {
  if (typeof name === "string" && name.length === length && /^[\w-]+$/.test(name)) return
  throw new RangeError(`A hash or an id has ${length} characters of base64url, unlike ${JSON.stringify(name)}`)
}

const whole = (value: number, least: number, what: string): void => {
  if (Number.isSafeInteger(value) && value >= least) return
  throw new RangeError(`${what} is a whole number from ${least} to 2^53 - 1, unlike ${String(value)}`)
}
