/** The cost of a batch under a policy, and the refund for operations that never start, in whole milli-units. */
import type { CostRun, QuotaCharge, QuotaDemand, QuotaRefund } from "./QuotaCharge.ts"
import type { CostedBatch } from "./QuotaOptions.ts"
import type { QuotaPolicy } from "./QuotaSettings.ts"

/**
 * Computes the cost of a batch under a policy.
 *
 * **Details** Throws a `TypeError` if a cost function returns anything but finite numbers from 0, because such a batch
 * must neither run nor be free.
 */
export const demandOf = ({ cost, policy, limit, windowMs }: QuotaPolicy, batch: CostedBatch): QuotaDemand => {
  const { operations } = batch
  const rule = { policy, limit, windowMs }
  if (cost._tag === "linear") {
    const { base, perOperation, perAction } = cost
    const runs =
      perAction.size === 0
        ? [{ count: operations.length, cost: perOperation }]
        : runsOf(operations.map(({ action }) => perAction.get(action) ?? perOperation))
    return { ...rule, base, runs }
  }
  const units = cost.costOf(batch)
  if (typeof units === "number") return { ...rule, base: toMilli(units, policy), runs: runsOf(operations.map(() => 0)) }
  if (!Array.isArray(units) || units.length !== operations.length) {
    throw new TypeError(
      `The cost function of the quota policy "${policy}" must return one number, or one per operation`,
    )
  }
  return { ...rule, base: 0, runs: runsOf(units.map((unit: number) => toMilli(unit, policy))) }
}

/**
 * Computes the refund of a charge for those of its admitted operations that are unused. The base is refunded only if all
 * of them are.
 */
export const refundOf = (
  { subject, id, demands }: QuotaCharge,
  admitted: number,
  isUnused: (position: number) => boolean,
): QuotaRefund => {
  const unused = Array.from({ length: admitted }, (_, position) => position).filter(isUnused)
  if (unused.length === 0) return { subject, id, amounts: [] }
  const amounts = demands.map(({ policy, limit, windowMs, base, runs }) => ({
    policy,
    limit,
    windowMs,
    amount: unused.reduce((sum, position) => sum + costAt(runs, position), unused.length === admitted ? base : 0),
  }))
  return { subject, id, amounts }
}

const costAt = (runs: ReadonlyArray<CostRun>, position: number): number => {
  let left = position
  for (const { count, cost } of runs) {
    if (left < count) return cost
    left -= count
  }
  return 0
}

// Rounded up: no cost is too small to be charged.
const toMilli = (units: unknown, policy: string): number => {
  const milli = typeof units === "number" && units >= 0 ? Math.ceil(Number((units * 1000).toFixed(6))) : Number.NaN
  if (Number.isSafeInteger(milli)) return milli
  throw new TypeError(
    `The cost function of the quota policy "${policy}" must return finite numbers from 0, not ${String(units)}`,
  )
}

const runsOf = (costs: ReadonlyArray<number>): ReadonlyArray<CostRun> => {
  const runs: Array<{ count: number; cost: number }> = []
  for (const cost of costs) {
    const last = runs.at(-1)
    if (last?.cost === cost) last.count++
    else runs.push({ count: 1, cost })
  }
  return runs
}
