/** What a batch costs under a policy, in whole milli-units. */
import type { CostRun, QuotaDemand } from "./QuotaCharge.ts"
import type { CostedBatch } from "./QuotaOptions.ts"
import type { QuotaPolicy } from "./QuotaSettings.ts"

/**
 * Prices a batch.
 *
 * **Details** Throws a `TypeError` where a cost function answers anything but finite numbers from 0: such a batch must
 * neither be free nor run.
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
    throw new TypeError(`The cost function of the quota policy "${policy}" must answer a number, or one per operation`)
  }
  return { ...rule, base: 0, runs: runsOf(units.map((unit: number) => toMilli(unit, policy))) }
}

/** Milli-units that one operation of a demand costs, without the base. */
export const costAt = ({ runs }: QuotaDemand, position: number): number => {
  let left = position
  for (const { count, cost } of runs) {
    if (left < count) return cost
    left -= count
  }
  return 0
}

/** Units as milli-units, rounded up: no cost is so small that it is none. */
export const toMilli = (units: unknown, policy: string): number => {
  const milli = typeof units === "number" && units >= 0 ? Math.ceil(Number((units * 1000).toFixed(6))) : Number.NaN
  if (Number.isSafeInteger(milli)) return milli
  throw new TypeError(
    `The cost function of the quota policy "${policy}" must answer finite numbers from 0, unlike ${String(units)}`,
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
