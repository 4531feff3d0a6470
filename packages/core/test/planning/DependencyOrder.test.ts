import * as Result from "effect/Result"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Operation } from "../../src/batch/Operation.ts"
import * as DependencyOrder from "../../src/planning/DependencyOrder.ts"
import { operation } from "../support/operation.ts"
import { dependsOn, randomOperations } from "../support/randomOperations.ts"

const make = (operations: ReadonlyArray<Operation>) => Result.getOrThrow(DependencyOrder.make(operations))

const waitsFor = ({ waits }: DependencyOrder.DependencyOrder, from: number, to: number): boolean =>
  [...waits[from]!].some((earlier) => earlier === to || waitsFor({ order: [], waits }, earlier, to))

/** Creates an operation for each order key. In each pair of `dependencies`, the first index depends on the second. */
const operationsOf = (
  orderKeys: ReadonlyArray<string | undefined>,
  dependencies: ReadonlyArray<readonly [number, number]> = [],
) => {
  const operations = orderKeys.map((orderKey, index) => ({
    ...operation({ index, id: `op-${index}`, orderKey }),
    dependsOn: [] as Array<{ operation: Operation; accept: [] }>,
  }))
  for (const [from, to] of dependencies) operations[from]!.dependsOn.push({ operation: operations[to]!, accept: [] })
  return operations
}

describe("make", () => {
  it("keeps the request order if no operation waits", () => {
    const result = make(operationsOf([undefined, "a", "b", undefined]))
    expect(result.order).toEqual([0, 1, 2, 3])
    expect(result.waits.every((earlier) => earlier.size === 0)).toBe(true)
  })

  it("makes operations with the same order key wait for each other, in request order", () => {
    const { waits } = make(operationsOf(["a", "b", "a", "b", "a"]))
    expect(waits.map((earlier) => [...earlier])).toEqual([[], [], [0], [1], [2]])
  })

  it("puts every operation after those it waits for, and omits none", () => {
    fc.assert(
      fc.property(randomOperations(), (createOperations) => {
        const { order, waits } = make(createOperations())
        expect([...order].sort((a, b) => a - b)).toEqual(order.map((_, index) => index))
        const positions = new Map(order.map((index, position) => [index, position]))
        waits.forEach((earlier, index) => {
          for (const other of earlier) expect(positions.get(other)).toBeLessThan(positions.get(index)!)
        })
      }),
    )
  })

  it("makes every operation wait for its dependencies", () => {
    fc.assert(
      fc.property(randomOperations(), (createOperations) => {
        const operations = createOperations()
        const { waits } = make(operations)
        for (const { index, dependsOn } of operations) {
          for (const { operation } of dependsOn) expect(waits[index]!.has(operation.index)).toBe(true)
        }
      }),
    )
  })

  it("never lets two operations with the same order key run at the same time", () => {
    fc.assert(
      fc.property(randomOperations(), (createOperations) => {
        const operations = createOperations()
        const result = make(operations)
        for (const { index, orderKey } of operations) {
          for (const other of operations.slice(index + 1)) {
            if (orderKey === undefined || other.orderKey !== orderKey) continue
            expect(waitsFor(result, index, other.index) || waitsFor(result, other.index, index)).toBe(true)
          }
        }
      }),
      { numRuns: 500 },
    )
  })

  it("keeps the request order per key if operations depend only on earlier ones", () => {
    fc.assert(
      fc.property(randomOperations({ forward: false }), (createOperations) => {
        const operations = createOperations()
        const result = make(operations)
        expect(result.order).toEqual(operations.map(({ index }) => index))
        for (const { index, orderKey } of operations) {
          for (const other of operations.slice(index + 1)) {
            if (orderKey === undefined || other.orderKey !== orderKey) continue
            expect(waitsFor(result, other.index, index)).toBe(true)
          }
        }
      }),
    )
  })

  it("keeps the request order per key wherever dependencies allow it", () => {
    fc.assert(
      fc.property(randomOperations(), (createOperations) => {
        const operations = createOperations()
        // If the request order per key, added as dependencies, forms no cycle, then it must be kept.
        const combined = createOperations()
        combined.forEach((each, index) => {
          const previous = combined
            .slice(0, index)
            .findLast(({ orderKey }) => orderKey !== undefined && orderKey === each.orderKey)
          const chained = previous === undefined ? [] : [{ operation: previous, accept: [] }]
          Object.assign(each, { dependsOn: [...each.dependsOn, ...chained] })
        })
        fc.pre(Result.isSuccess(DependencyOrder.make(combined)))
        const result = make(operations)
        for (const { index, orderKey } of operations) {
          for (const other of operations.slice(index + 1)) {
            if (orderKey === undefined || other.orderKey !== orderKey) continue
            expect(waitsFor(result, other.index, index)).toBe(true)
          }
        }
      }),
      { numRuns: 500 },
    )
  })

  it("keeps the order per key of operations that others wait for", () => {
    const result = make(operationsOf([undefined, "u", "u"], [[0, 2]]))
    expect(result.order).toEqual([1, 2, 0])
  })

  it("keeps the order per key if the first operation waits for a later one with another key", () => {
    const result = make(operationsOf(["t", "t", undefined], [[0, 2]]))
    expect(result.order).toEqual([2, 0, 1])
  })

  it("keeps a third operation last if a dependency reverses the first two of its key", () => {
    const result = make(operationsOf(["a", "a", "a"], [[0, 1]]))
    expect(result.order).toEqual([1, 0, 2])
    expect(waitsFor(result, 2, 0)).toBe(true)
    expect(waitsFor(result, 2, 1)).toBe(true)
  })

  it("gives up the order per key if it would form a cycle with the dependencies", () => {
    const result = make(
      operationsOf(
        ["t", "t", "u", "u"],
        [
          [0, 3],
          [2, 1],
        ],
      ),
    )
    expect(result.order).toHaveLength(4)
    expect(waitsFor(result, 0, 3) && waitsFor(result, 2, 1)).toBe(true)
  })

  it.each<[ReadonlyArray<readonly [number, number]>, string]>([
    [
      [
        [0, 1],
        [1, 0],
      ],
      `"op-0" depends on "op-1" depends on "op-0"`,
    ],
    [
      [
        [0, 1],
        [1, 2],
        [2, 0],
      ],
      `"op-0" depends on "op-1" depends on "op-2" depends on "op-0"`,
    ],
    [
      [
        [0, 1],
        [1, 2],
        [2, 1],
      ],
      `"op-1" depends on "op-2" depends on "op-1"`,
    ],
    [
      [
        [0, 3],
        [2, 3],
        [3, 2],
      ],
      `"op-3" depends on "op-2" depends on "op-3"`,
    ],
  ])("refuses %j and names the cycle", (dependencies, cycle) => {
    const error = Result.getOrThrow(
      Result.flip(DependencyOrder.make(operationsOf([undefined, "a", "a", undefined], dependencies))),
    )
    expect(error.reason).toMatchObject({ code: "INVALID_DEPENDENCY", status: 400 })
    expect(error.message).toBe(`Dependencies form a cycle: ${cycle}`)
  })

  it("refuses any dependencies that form a cycle, and names an existing cycle", () => {
    fc.assert(
      fc.property(randomOperations({ maxLength: 8 }), fc.nat(), fc.nat(), (createOperations, from, to) => {
        const operations = createOperations()
        const first = operations[from % operations.length]!
        const second = operations[to % operations.length]!
        fc.pre(first === second || dependsOn(second, first))
        Object.assign(first, { dependsOn: [...first.dependsOn, { operation: second, accept: [] }] })
        const error = Result.getOrThrow(Result.flip(DependencyOrder.make(operations)))
        const cycle = [...error.message.matchAll(/"op-(\d+)"/g)].map(([, index]) => operations[Number(index)]!)
        expect(cycle.length).toBeGreaterThan(1)
        expect(cycle[0]).toBe(cycle.at(-1))
        cycle.slice(1).forEach((earlier, position) => {
          expect(cycle[position]!.dependsOn.some(({ operation }) => operation === earlier)).toBe(true)
        })
      }),
    )
  })

  it("reverses a thousand operations of one key, each of which depends on all later ones, within 2 s", () => {
    const count = 1_000
    const orderKeys = Array.from({ length: count }, () => "a")
    const dependencies = orderKeys.flatMap((_, from) =>
      orderKeys.slice(from + 1).map((_, offset) => [from, from + 1 + offset] as const),
    )
    const operations = operationsOf(orderKeys, dependencies)
    const startedAt = performance.now()
    const { order } = make(operations)
    expect(performance.now() - startedAt).toBeLessThan(2_000)
    expect(order).toEqual(orderKeys.map((_, index) => count - 1 - index))
  })
})
