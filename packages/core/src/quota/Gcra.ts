/**
 * The generic cell rate algorithm (GCRA) for batches: the arithmetic of quotas, without a clock and without a store.
 *
 * The state of a policy is one number, the theoretical arrival time (`arrival`): the time at which its whole limit is
 * available again. Times are milliseconds since 1970, amounts are milli-units.
 */
import type { QuotaCharge, QuotaDecision, QuotaDemand, QuotaRefund, QuotaRule, QuotaStanding } from "./QuotaCharge.ts"

// Rounding errors below this must not change a decision.
const epsilon = 1e-6

/** A decision, and the new state of the policies. */
export interface Decided {
  readonly decision: QuotaDecision
  /** The new arrivals, in the order of the demands; undefined if nothing was charged. */
  readonly arrivals: ReadonlyArray<number> | undefined
}

/** Decides one charge. `arrivals` are those of its demands; undefined for a policy without a stored state. */
export const decide = (
  { demands, minimum }: QuotaCharge,
  arrivals: ReadonlyArray<number | undefined>,
  now: number,
): Decided => {
  const levels = demands.map((demand, index) => levelOf(demand, arrivals[index], now))
  const fitting = demands.map((demand, index) => fit(demand, levels[index]!.available))
  const total = Math.max(0, ...demands.map(countOf))
  const fittingAll = Math.min(total, ...fitting)
  const granted = fittingAll >= minimum && (fittingAll > 0 || total === 0)
  const admitted = granted ? fittingAll : 0
  const needed = granted ? total : Math.max(minimum, Math.min(total, 1))
  const waits: Array<number | "never"> = []
  const newArrivals: Array<number> = []
  const standings = demands.map((demand, index): QuotaStanding => {
    const { available, arrival } = levels[index]!
    const cost = costOf(demand, admitted)
    // Operations that were not admitted come back in another batch, which pays the base again.
    const missing = granted ? costOf(demand, admitted + 1) - cost + demand.base : costOf(demand, needed)
    if (!granted || admitted < total) waits.push(waitFor(missing, demand, granted ? available - cost : available))
    newArrivals.push(granted ? arrival + (cost * demand.windowMs) / demand.limit : arrival)
    return standingOf(demand, newArrivals[index]!, now, fitting[index]! < needed)
  })
  const retryAfterMs = waits.reduce(longest, 0)
  return { decision: { granted, admitted, retryAfterMs, standings }, arrivals: granted ? newArrivals : undefined }
}

const longest = (a: number | "never", b: number | "never") =>
  a === "never" || b === "never" ? "never" : Math.max(a, b)

/** Returns the standing of a policy, given its arrival. */
export const standing = (rule: QuotaRule, arrival: number | undefined, now: number): QuotaStanding =>
  standingOf(rule, levelOf(rule, arrival, now).arrival, now, false)

/** Returns the arrival after a refund of `amount`; never earlier than now. */
export const refund = (
  rule: QuotaRule & { readonly amount: number },
  arrival: number | undefined,
  now: number,
): number => Math.max(now, levelOf(rule, arrival, now).arrival - (rule.amount * rule.windowMs) / rule.limit)

/** Returns the number of operations of a demand. */
export const countOf = ({ runs }: QuotaDemand): number => runs.reduce((sum, { count }) => sum + count, 0)

/**
 * Returns the cost of the first `count` operations of a demand, with the base. For a `count` of 0 it is 0, unless the demand
 * has no operations: then it is the base.
 */
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

/**
 * Returns how many operations of a demand fit in `available` milli-units. A demand without operations returns infinity if
 * its base fits, else -1.
 */
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

// After a policy's limit or window was reduced, its whole limit is available after one new window, not an old one.
const levelOf = ({ limit, windowMs }: QuotaRule, stored: number | undefined, now: number) => {
  const arrival = Math.min(Math.max(stored ?? now, now), now + windowMs)
  return { arrival, available: ((now + windowMs - arrival) * limit) / windowMs }
}

const waitFor = (cost: number, { limit, windowMs }: QuotaRule, available: number): number | "never" => {
  if (cost > limit) return "never"
  const deficit = cost - available
  return deficit <= epsilon ? 0 : Math.max(1, Math.ceil((deficit * windowMs) / limit - epsilon))
}

const standingOf = ({ policy, limit, windowMs }: QuotaRule, arrival: number, now: number, violated: boolean) => ({
  policy,
  remaining: Math.max(0, Math.floor(((now + windowMs - arrival) * limit) / windowMs + epsilon)),
  resetMs: Math.max(0, Math.ceil(arrival - now - epsilon)),
  violated,
})

/**
 * Throws a `RangeError` if an amount of a charge is not a whole number within its bounds, which a store might treat as
 * free.
 */
export const checkCharge = ({ subject, id, demands, minimum, now }: QuotaCharge): void => {
  checkName(subject, 43)
  checkName(id, 22)
  checkRules(demands)
  const counts = new Set(demands.map(countOf))
  if (counts.size > 1) throw new RangeError("Every demand of a charge must have the same number of operations")
  for (const { base, runs } of demands) {
    checkWhole(base, 0, "A base")
    for (const { count, cost } of runs) {
      checkWhole(count, 1, "A number of operations")
      checkWhole(cost, 0, "A cost")
    }
  }
  for (const demand of demands) checkWhole(costOf(demand, countOf(demand)), 0, "The cost of a batch")
  checkWhole(minimum, 0, "A minimum")
  if (now !== undefined) checkWhole(now, 0, "A time")
}

/** Throws a `RangeError` if an amount of a refund is not a whole number from 0. */
export const checkRefund = ({ subject, id, amounts }: QuotaRefund): void => {
  checkName(subject, 43)
  checkName(id, 22)
  checkRules(amounts)
  for (const { amount } of amounts) checkWhole(amount, 0, "An amount")
}

/** Throws a `RangeError` if a limit or a window is not a whole number from 1. */
export const checkRules = (rules: ReadonlyArray<QuotaRule>): void => {
  for (const { limit, windowMs } of rules) {
    checkWhole(limit, 1, "A limit")
    checkWhole(windowMs, 1, "A window")
  }
}

/** Throws a `RangeError` if a hash or an id does not have `length` characters of base64url. */
export const checkName = (name: string, length: number): void => {
  if (typeof name === "string" && name.length === length && /^[\w-]+$/.test(name)) return
  throw new RangeError(`A hash or an id must have ${length} characters of base64url, not be ${JSON.stringify(name)}`)
}

const checkWhole = (value: number, minimum: number, name: string): void => {
  if (Number.isSafeInteger(value) && value >= minimum) return
  throw new RangeError(`${name} must be a whole number from ${minimum} to 2^53 - 1, not ${String(value)}`)
}
