import * as Result from "effect/Result"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Operation } from "../../src/batch/Operation.ts"
import * as Plan from "../../src/planning/Plan.ts"
import * as DependencyOrder from "../../src/planning/DependencyOrder.ts"
import { partial, type Strategy } from "../../src/batch/Strategy.ts"
import { operation } from "../support/operation.ts"
import { dependsOn, type Operations, randomOperations } from "../support/randomOperations.ts"

const options = { concurrency: 10, coalesces: () => false }

const plan = (
  operations: ReadonlyArray<Operation>,
  changes: Partial<Plan.PlanOptions> = {},
  strategy: Strategy = partial,
) => Plan.make({ operations, strategy }, { ...options, ...changes })

const groupsOf = (result: ReturnType<typeof plan>) =>
  Result.getOrThrow(result).groups.map(({ calls, transaction }) => ({
    calls: calls.map((call) => call.map(({ index }) => index)),
    transaction,
  }))

const operationsOf = (count: number, members: (index: number) => Partial<Operation> = () => ({})) =>
  Array.from({ length: count }, (_, index) => operation({ index, ...members(index) }))

describe("groups", () => {
  it("keep request order with the operations between them", () => {
    const operations = operationsOf(6, (index) => (index === 2 || index === 3 ? { group: "g" } : {}))
    expect(groupsOf(plan(operations, { concurrency: 1 })).map(({ calls }) => calls.flat())).toEqual([
      [0],
      [1],
      [2, 3],
      [4],
      [5],
    ])
  })

  it("never combine operations that wait for each other", () => {
    const sameKey = (index: number) => ({ orderKey: "t", ...(index === 1 && { group: "g" }) })
    for (const changes of [{ transactionSize: 5 }, { coalesces: () => true }]) {
      expect(groupsOf(plan(operationsOf(3, sameKey), changes)).map(({ calls }) => calls.flat())).toEqual([
        [0],
        [1],
        [2],
      ])
    }
  })
})

describe("groups that share a transaction", () => {
  it("are cut from consecutive calls, `transactionSize` to each", () => {
    expect(groupsOf(plan(operationsOf(7), { transactionSize: 3 }))).toEqual([
      { calls: [[0], [1], [2]], transaction: "shared" },
      { calls: [[3], [4], [5]], transaction: "shared" },
      { calls: [[6]], transaction: "shared" },
    ])
  })

  it("contain one coalesced call, or several calls that are not coalesced", () => {
    const coalesces = ({ action }: Operation) => action === "create"
    const operations = operationsOf(8, (index) => ({ action: [2, 3, 4].includes(index) ? "create" : "delete" }))
    expect(groupsOf(plan(operations, { transactionSize: 3, coalesces })).map(({ calls }) => calls)).toEqual([
      [[0], [1]],
      [[2, 3, 4]],
      [[5], [6], [7]],
    ])
  })

  it("do not include atomicity groups", () => {
    const operations = operationsOf(6, (index) => (index === 2 || index === 3 ? { group: "g" } : {}))
    const groups = groupsOf(plan(operations, { transactionSize: 2 }))
    expect(groups.filter(({ transaction }) => transaction === "atomic")).toEqual([
      { calls: [[2], [3]], transaction: "atomic" },
    ])
    expect(groups.filter(({ transaction }) => transaction === "shared").map(({ calls }) => calls)).toEqual([
      [[0], [1]],
      [[4], [5]],
    ])
  })

  it("are not formed with the strategy stop-after", () => {
    const groups = groupsOf(plan(operationsOf(4), { transactionSize: 2 }, { _tag: "stop-after", failures: 1 }))
    expect(groups.map(({ transaction }) => transaction)).toEqual(["none", "none", "none", "none"])
  })
})

describe("an atomic batch", () => {
  it("is one group in request order, with adjacent operations coalesced", () => {
    const coalesces = ({ action }: Operation) => action === "create"
    const operations = operationsOf(6, (index) => ({
      action: index === 3 ? "delete" : "create",
      group: index < 2 ? "g" : undefined,
    }))
    expect(groupsOf(plan(operations, { coalesces, transactionSize: 2 }, { _tag: "atomic" }))).toEqual([
      { calls: [[0, 1, 2], [3], [4, 5]], transaction: "atomic" },
    ])
  })
})

/** Puts some neighbouring operations into atomicity groups. */
const withGroups = (operations: ReadonlyArray<Operation>, cuts: ReadonlyArray<boolean>): ReadonlyArray<Operation> => {
  let group = 0
  operations.forEach((each, index) => {
    if (cuts[index] === true) group++
    Object.assign(each, { group: group % 2 === 1 ? `g${group}` : undefined })
  })
  return operations
}

/** Whether groups wait for each other, directly or not. Computed by brute force. */
const isCircular = (operations: ReadonlyArray<Operation>): boolean => {
  const { waits } = Result.getOrThrow(DependencyOrder.make(operations))
  const isSameGroup = (one: Operation, other: Operation) => one.group !== undefined && one.group === other.group
  const followersOf = (from: Operation) =>
    operations.filter((next) => isSameGroup(from, next) || waits[next.index]!.has(from.index))
  const reachable = operations.map((from) => {
    const reached = new Set<Operation>()
    const pending = [from]
    for (let current = pending.pop(); current !== undefined; current = pending.pop()) {
      for (const next of followersOf(current)) {
        if (reached.has(next)) continue
        reached.add(next)
        pending.push(next)
      }
    }
    return reached
  })
  const reachEachOther = (one: Operation, other: Operation) =>
    reachable[one.index]!.has(other) && reachable[other.index]!.has(one)
  return operations.some((one) =>
    operations.some((other) => one !== other && !isSameGroup(one, other) && reachEachOther(one, other)),
  )
}

const cuts = fc.array(fc.boolean(), { minLength: 12, maxLength: 12 })
const size = fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined })

const expectValidPlan = (operations: ReadonlyArray<Operation>, plan: Plan.Plan) => {
  const positions = new Map<Operation, number>()
  plan.groups.forEach(({ operations, calls }, position) => {
    expect(calls.flat()).toEqual(operations)
    for (const each of operations) {
      expect(positions.has(each)).toBe(false)
      positions.set(each, position)
    }
  })
  expect(positions.size).toBe(operations.length)
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
      if (one.group !== undefined && one.group === other.group) expect(positions.get(one)).toBe(positions.get(other))
      if (!dependsOn(other, one)) continue
      const [earlier, later] = [positions.get(one)!, positions.get(other)!]
      if (earlier !== later) expect(earlier).toBeLessThan(later)
      else
        expect(plan.groups[later]!.operations.indexOf(one)).toBeLessThan(plan.groups[later]!.operations.indexOf(other))
    }
  }
}

describe("a plan with transactions", () => {
  it("contains every operation once, after its dependencies, with groups complete, unless groups wait for each other", () => {
    let refused = 0
    let accepted = 0
    fc.assert(
      fc.property(
        randomOperations(),
        cuts,
        size,
        fc.boolean(),
        (createOperations: Operations, cuts, transactionSize, coalescing) => {
          const operations = withGroups(createOperations(), cuts)
          const result = plan(operations, { transactionSize, coalesces: () => coalescing })
          if (Result.isSuccess(result)) {
            accepted++
            expectValidPlan(operations, result.success)
            expect(isCircular(operations)).toBe(false)
          } else {
            refused++
            expect(result.failure.reason.code).toBe("INVALID_DEPENDENCY")
            // A batch that can be planned without shared transactions must not be refused with them.
            expect(Result.isFailure(plan(withGroups(createOperations(), cuts)))).toBe(true)
          }
        },
      ),
      { numRuns: 400 },
    )
    expect(accepted).toBeGreaterThan(50)
    expect(refused).toBeGreaterThan(5)
  })
})
