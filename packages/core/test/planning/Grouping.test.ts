import * as Result from "effect/Result"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Operation } from "../../src/batch/Operation.ts"
import * as Plan from "../../src/planning/Plan.ts"
import * as DependencyOrder from "../../src/planning/DependencyOrder.ts"
import { partial } from "../../src/batch/Strategy.ts"
import { operation } from "../support/operation.ts"
import { dependsOn, type Operations, randomOperations } from "../support/randomOperations.ts"

const options = { concurrency: 10, coalesces: () => false }

const planned = (operations: ReadonlyArray<Operation>, given: Partial<Plan.PlanOptions> = {}, strategy = partial) =>
  Plan.make({ operations, strategy }, { ...options, ...given })

const groups = (result: ReturnType<typeof planned>) =>
  Result.getOrThrow(result).groups.map(({ calls, transaction }) => ({
    calls: calls.map((call) => call.map(({ index }) => index)),
    transaction,
  }))

const many = (count: number, given: (index: number) => Partial<Operation> = () => ({})) =>
  Array.from({ length: count }, (_, index) => operation({ index, ...given(index) }))

describe("groups", () => {
  it("keep request order among what stands between them", () => {
    const operations = many(6, (index) => (index === 2 || index === 3 ? { group: "g" } : {}))
    expect(groups(planned(operations, { concurrency: 1 })).map(({ calls }) => calls.flat())).toEqual([
      [0],
      [1],
      [2, 3],
      [4],
      [5],
    ])
  })

  it("never make operations that are put together wait for each other", () => {
    const target = (index: number) => ({ target: "t", ...(index === 1 && { group: "g" }) })
    for (const given of [{ transactionSize: 5 }, { coalesces: () => true }]) {
      expect(groups(planned(many(3, target), given)).map(({ calls }) => calls.flat())).toEqual([[0], [1], [2]])
    }
  })
})

describe("groups that share a transaction", () => {
  it("are cut from calls that follow each other, so many to each", () => {
    expect(groups(planned(many(7), { transactionSize: 3 }))).toEqual([
      { calls: [[0], [1], [2]], transaction: "shared" },
      { calls: [[3], [4], [5]], transaction: "shared" },
      { calls: [[6]], transaction: "shared" },
    ])
  })

  it("hold one coalesced call, or several that are not coalesced", () => {
    const coalesces = ({ action }: Operation) => action === "create"
    const operations = many(8, (index) => ({ action: [2, 3, 4].includes(index) ? "create" : "delete" }))
    expect(groups(planned(operations, { transactionSize: 3, coalesces })).map(({ calls }) => calls)).toEqual([
      [[0], [1]],
      [[2, 3, 4]],
      [[5], [6], [7]],
    ])
  })

  it("leave atomicity groups as they are", () => {
    const operations = many(6, (index) => (index === 2 || index === 3 ? { group: "g" } : {}))
    const found = groups(planned(operations, { transactionSize: 2 }))
    expect(found.filter(({ transaction }) => transaction === "atomic")).toEqual([
      { calls: [[2], [3]], transaction: "atomic" },
    ])
    expect(found.filter(({ transaction }) => transaction === "shared").map(({ calls }) => calls)).toEqual([
      [[0], [1]],
      [[4], [5]],
    ])
  })

  it("do not exist where operations stop after a failure", () => {
    const found = groups(planned(many(4), { transactionSize: 2 }, { _tag: "stop-after", failures: 1 } as never))
    expect(found.map(({ transaction }) => transaction)).toEqual(["none", "none", "none", "none"])
  })
})

describe("an atomic batch", () => {
  it("is one group in request order, with adjacent operations coalesced", () => {
    const coalesces = ({ action }: Operation) => action === "create"
    const operations = many(6, (index) => ({
      action: index === 3 ? "delete" : "create",
      group: index < 2 ? "g" : undefined,
    }))
    expect(groups(planned(operations, { coalesces, transactionSize: 2 }, { _tag: "atomic" } as never))).toEqual([
      { calls: [[0, 1, 2], [3], [4, 5]], transaction: "atomic" },
    ])
  })
})

/** The operations with some neighbours put into atomicity groups. */
const withGroups = (operations: ReadonlyArray<Operation>, cuts: ReadonlyArray<boolean>): ReadonlyArray<Operation> => {
  let group = 0
  operations.forEach((each, index) => {
    if (cuts[index] === true) group++
    Object.assign(each, { group: group % 2 === 1 ? `g${group}` : undefined })
  })
  return operations
}

/** Whether groups wait for each other in a circle, found the slow way. */
const isCircular = (operations: ReadonlyArray<Operation>): boolean => {
  const { waits } = Result.getOrThrow(DependencyOrder.make(operations))
  const same = (one: Operation, other: Operation) => one.group !== undefined && one.group === other.group
  const follows = (from: Operation) =>
    operations.filter((next) => same(from, next) || waits[next.index]!.has(from.index))
  const reach = operations.map((from) => {
    const reached = new Set<Operation>()
    const pending = [from]
    for (let current = pending.pop(); current !== undefined; current = pending.pop()) {
      for (const next of follows(current)) {
        if (reached.has(next)) continue
        reached.add(next)
        pending.push(next)
      }
    }
    return reached
  })
  const both = (one: Operation, other: Operation) => reach[one.index]!.has(other) && reach[other.index]!.has(one)
  return operations.some((one) => operations.some((other) => one !== other && !same(one, other) && both(one, other)))
}

const cuts = fc.array(fc.boolean(), { minLength: 12, maxLength: 12 })
const size = fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined })

const rules = (operations: ReadonlyArray<Operation>, plan: Plan.Plan) => {
  const place = new Map<Operation, number>()
  plan.groups.forEach(({ operations, calls }, position) => {
    expect(calls.flat()).toEqual(operations)
    for (const each of operations) {
      expect(place.has(each)).toBe(false)
      place.set(each, position)
    }
  })
  expect(place.size).toBe(operations.length)
  plan.groups.forEach(({ operations, releases, transaction }, position) => {
    expect(releases.every((later) => later > position)).toBe(true)
    const waitsFor = plan.groups.filter(({ releases }) => releases.includes(position)).length
    expect(plan.groups[position]!.waitsFor).toBe(waitsFor)
    const named = new Set(operations.map(({ group }) => group))
    expect(named.size).toBe(1)
    expect(transaction === "atomic").toBe(!named.has(undefined))
  })
  for (const one of operations) {
    for (const other of operations) {
      if (one.group !== undefined && one.group === other.group) expect(place.get(one)).toBe(place.get(other))
      if (!dependsOn(other, one)) continue
      const [earlier, later] = [place.get(one)!, place.get(other)!]
      if (earlier !== later) expect(earlier).toBeLessThan(later)
      else
        expect(plan.groups[later]!.operations.indexOf(one)).toBeLessThan(plan.groups[later]!.operations.indexOf(other))
    }
  }
}

describe("a plan with transactions", () => {
  it("has every operation once, after its dependencies, and groups whole; or it is refused because groups wait in a circle", () => {
    let refused = 0
    let made = 0
    fc.assert(
      fc.property(
        randomOperations(),
        cuts,
        size,
        fc.boolean(),
        (draw: Operations, cuts, transactionSize, coalescing) => {
          const operations = withGroups(draw(), cuts)
          const result = planned(operations, { transactionSize, coalesces: () => coalescing })
          if (Result.isSuccess(result)) {
            made++
            rules(operations, result.success)
            expect(isCircular(operations)).toBe(false)
          } else {
            refused++
            expect(result.failure.reason.code).toBe("INVALID_DEPENDENCY")
            // Sharing a transaction must never refuse what would be planned without it.
            expect(Result.isFailure(planned(withGroups(draw(), cuts)))).toBe(true)
          }
        },
      ),
      { numRuns: 400 },
    )
    expect(made).toBeGreaterThan(50)
    expect(refused).toBeGreaterThan(5)
  })
})
