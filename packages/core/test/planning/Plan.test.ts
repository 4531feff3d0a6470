import * as Result from "effect/Result"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { failure } from "../../src/batch/Failure.ts"
import type { Operation } from "../../src/batch/Operation.ts"
import { OperationResult } from "../../src/batch/OperationResult.ts"
import * as Plan from "../../src/planning/Plan.ts"
import { partial, type Strategy } from "../../src/batch/Strategy.ts"
import { operation } from "../support/operation.ts"
import { randomOperations } from "../support/randomOperations.ts"

const options: Plan.PlanOptions = { concurrency: 10, coalesces: () => true }

const plan = (
  operations: ReadonlyArray<Operation>,
  changes: Partial<Plan.PlanOptions> = {},
  strategy: Strategy = partial,
): Plan.Plan => Result.getOrThrow(Plan.make({ operations, strategy }, { ...options, ...changes }))

const indexesOf = ({ groups }: Plan.Plan) => groups.map(({ operations }) => operations.map(({ index }) => index))

/** Creates operations; each text is an action, optionally followed by a space and an order key. */
const operationsOf = (...texts: ReadonlyArray<string>) =>
  texts.map((text, index) => {
    const [action = "", orderKey] = text.split(" ")
    return operation({ index, id: `op-${index}`, action, orderKey })
  })

const anyOptions: fc.Arbitrary<Plan.PlanOptions> = fc.record({
  concurrency: fc.constantFrom(1, 2, 10, Number.POSITIVE_INFINITY),
  coalesces: fc.constantFrom(
    () => true,
    () => false,
    ({ action }: Operation) => action !== "update",
  ),
})

const strategies = fc.constantFrom<Strategy>(partial, { _tag: "stop-after", failures: 2 })

describe("make", () => {
  it("puts every operation into exactly one group", () => {
    fc.assert(
      fc.property(randomOperations(), anyOptions, strategies, (createOperations, options, strategy) => {
        const operations = createOperations()
        const planned = plan(operations, options, strategy).groups.flatMap(({ operations }) => operations)
        expect(planned).toHaveLength(operations.length)
        expect(new Set(planned)).toEqual(new Set(operations))
      }),
    )
  })

  it("makes each group wait only for earlier groups, and each of these release it once", () => {
    fc.assert(
      fc.property(randomOperations(), anyOptions, strategies, (createOperations, options, strategy) => {
        const { groups } = plan(createOperations(), options, strategy)
        const released = groups.map(() => 0)
        groups.forEach(({ releases }, position) => {
          expect(new Set(releases).size).toBe(releases.length)
          for (const later of releases) {
            expect(later).toBeGreaterThan(position)
            released[later]!++
          }
        })
        expect(groups.map(({ waitsFor }) => waitsFor)).toEqual(released)
      }),
    )
  })

  it("coalesces only operations of one action with different order keys and without dependencies", () => {
    fc.assert(
      fc.property(randomOperations(), anyOptions, (createOperations, options) => {
        for (const { operations, calls } of plan(createOperations(), options).groups) {
          expect(calls.flat()).toEqual(operations)
          for (const call of calls) {
            if (call.length === 1) continue
            const orderKeys = call.flatMap(({ orderKey }) => (orderKey === undefined ? [] : [orderKey]))
            expect(new Set(call.map(({ action }) => action)).size).toBe(1)
            expect(new Set(orderKeys).size).toBe(orderKeys.length)
            expect(call.every((each) => each.dependsOn.length === 0 && options.coalesces(each))).toBe(true)
          }
        }
      }),
    )
  })

  it("coalesces all operations that may share a call", () => {
    expect(indexesOf(plan(operationsOf("create", "create", "create")))).toEqual([[0, 1, 2]])
    expect(indexesOf(plan(operationsOf("create", "delete a", "create", "delete b", "update c")))).toEqual([
      [0, 2],
      [1, 3],
      [4],
    ])
  })

  it("coalesces only adjacent operations if groups run one after another", () => {
    const operations = operationsOf("create", "create", "delete a", "create", "delete b", "delete c")
    expect(indexesOf(plan(operations, { concurrency: 1 }))).toEqual([[0, 1], [2], [3], [4, 5]])
  })

  it("never moves an operation before an earlier one with the same order key", () => {
    expect(indexesOf(plan(operationsOf("update a", "delete a", "update b", "update a")))).toEqual([[0, 2], [1], [3]])
    expect(indexesOf(plan(operationsOf("update a", "update a")))).toEqual([[0], [1]])
  })

  it("does not coalesce an operation that has its result already", () => {
    const operations = operationsOf("create", "create", "create")
    operations[1]!.result = OperationResult.error(failure("VALIDATION_ERROR", "m"))
    expect(indexesOf(plan(operations))).toEqual([[0, 2], [1]])
  })

  it("neither coalesces nor reorders with the strategy stop-after", () => {
    const stoppable = plan(operationsOf("create", "create", "create"), {}, { _tag: "stop-after", failures: 2 })
    expect(indexesOf(stoppable)).toEqual([[0], [1], [2]])
    expect(stoppable).toMatchObject({ ordered: true, stopAfter: 2 })
  })

  it("is ordered if groups run one after another", () => {
    expect(plan(operationsOf("create"), { concurrency: 1 })).toMatchObject({ ordered: true, concurrency: 1 })
    expect(plan(operationsOf("create"))).toMatchObject({ ordered: false, concurrency: 10, stopAfter: undefined })
  })

  it("refuses dependencies that form a cycle", () => {
    const [first, second] = operationsOf("create", "create")
    Object.assign(first!, { dependsOn: [{ operation: second, accept: [] }] })
    Object.assign(second!, { dependsOn: [{ operation: first, accept: [] }] })
    const error = Result.getOrThrow(
      Result.flip(Plan.make({ operations: [first!, second!], strategy: partial }, options)),
    )
    expect(error.reason.code).toBe("INVALID_DEPENDENCY")
    expect(error.message).toContain(`"op-0" depends on "op-1" depends on "op-0"`)
  })

  it("plans 100,000 operations within 2 s", () => {
    const operations = Array.from({ length: 100_000 }, (_, index) =>
      operation({ index, orderKey: String(index % 50_000) }),
    )
    const startedAt = performance.now()
    expect(plan(operations).groups).toHaveLength(2)
    expect(performance.now() - startedAt).toBeLessThan(2_000)
  })
})
