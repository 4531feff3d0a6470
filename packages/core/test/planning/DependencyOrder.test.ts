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

/** Operations on the targets given; `links` are pairs of which the first depends on the second. */
const operationsOf = (
  targets: ReadonlyArray<string | undefined>,
  links: ReadonlyArray<readonly [number, number]> = [],
) => {
  const operations = targets.map((target, index) => ({ ...operation({ index, id: `op-${index}` }), target }))
  const linked = operations.map((each) =>
    Object.assign(each, { dependsOn: [] as Array<{ operation: Operation; accept: [] }> }),
  )
  for (const [from, to] of links) linked[from]!.dependsOn.push({ operation: linked[to]!, accept: [] })
  return linked
}

describe("make", () => {
  it("keeps the request order where nothing has to wait", () => {
    const schedule = make(operationsOf([undefined, "a", "b", undefined]))
    expect(schedule.order).toEqual([0, 1, 2, 3])
    expect(schedule.waits.every((earlier) => earlier.size === 0)).toBe(true)
  })

  it("makes operations on one target wait for each other, in request order", () => {
    const { waits } = make(operationsOf(["a", "b", "a", "b", "a"]))
    expect(waits.map((earlier) => [...earlier])).toEqual([[], [], [0], [1], [2]])
  })

  it("puts every operation after all that it waits for, and loses none", () => {
    fc.assert(
      fc.property(randomOperations(), (operations) => {
        const { order, waits } = make(operations())
        expect([...order].sort((a, b) => a - b)).toEqual(order.map((_, index) => index))
        const place = new Map(order.map((index, place) => [index, place]))
        waits.forEach((earlier, index) => {
          for (const other of earlier) expect(place.get(other)).toBeLessThan(place.get(index)!)
        })
      }),
    )
  })

  it("makes every operation wait for what it depends on", () => {
    fc.assert(
      fc.property(randomOperations(), (make_) => {
        const operations = make_()
        const { waits } = make(operations)
        for (const { index, dependsOn } of operations) {
          for (const { operation } of dependsOn) expect(waits[index]!.has(operation.index)).toBe(true)
        }
      }),
    )
  })

  it("leaves no two operations on one target free to run at the same time", () => {
    fc.assert(
      fc.property(randomOperations(), (make_) => {
        const operations = make_()
        const schedule = make(operations)
        for (const { index, orderKey } of operations) {
          for (const other of operations.slice(index + 1)) {
            if (orderKey === undefined || other.orderKey !== orderKey) continue
            expect(waitsFor(schedule, index, other.index) || waitsFor(schedule, other.index, index)).toBe(true)
          }
        }
      }),
      { numRuns: 500 },
    )
  })

  it("keeps the request order per target where dependencies lead back alone", () => {
    fc.assert(
      fc.property(randomOperations({ forward: false }), (make_) => {
        const operations = make_()
        const schedule = make(operations)
        expect(schedule.order).toEqual(operations.map(({ index }) => index))
        for (const { index, orderKey } of operations) {
          for (const other of operations.slice(index + 1)) {
            if (orderKey === undefined || other.orderKey !== orderKey) continue
            expect(waitsFor(schedule, other.index, index)).toBe(true)
          }
        }
      }),
    )
  })

  it("keeps the request order per target wherever dependencies leave that possible", () => {
    fc.assert(
      fc.property(randomOperations(), (make_) => {
        const operations = make_()
        // With the request order per target written down as dependencies, there may be a cycle; if there is none, it holds.
        const wished = make_()
        wished.forEach((each, index) => {
          const previous = wished
            .slice(0, index)
            .findLast(({ orderKey }) => orderKey !== undefined && orderKey === each.orderKey)
          const more = previous === undefined ? [] : [{ operation: previous, accept: [] }]
          Object.assign(each, { dependsOn: [...each.dependsOn, ...more] })
        })
        fc.pre(Result.isSuccess(DependencyOrder.make(wished)))
        const schedule = make(operations)
        for (const { index, orderKey } of operations) {
          for (const other of operations.slice(index + 1)) {
            if (orderKey === undefined || other.orderKey !== orderKey) continue
            expect(waitsFor(schedule, other.index, index)).toBe(true)
          }
        }
      }),
      { numRuns: 500 },
    )
  })

  it("keeps the order on a target of operations that others wait for", () => {
    const schedule = make(operationsOf([undefined, "u", "u"], [[0, 2]]))
    expect(schedule.order).toEqual([1, 2, 0])
  })

  it("keeps the order on a target whose first operation waits for a later one elsewhere", () => {
    const schedule = make(operationsOf(["t", "t", undefined], [[0, 2]]))
    expect(schedule.order).toEqual([2, 0, 1])
  })

  it("keeps a third operation on the target after both that a dependency turned round", () => {
    const schedule = make(operationsOf(["a", "a", "a"], [[0, 1]]))
    expect(schedule.order).toEqual([1, 0, 2])
    expect(waitsFor(schedule, 2, 0)).toBe(true)
    expect(waitsFor(schedule, 2, 1)).toBe(true)
  })

  it("lets the order per target yield where targets and dependencies together would form a cycle", () => {
    const schedule = make(
      operationsOf(
        ["t", "t", "u", "u"],
        [
          [0, 3],
          [2, 1],
        ],
      ),
    )
    expect(schedule.order).toHaveLength(4)
    expect(waitsFor(schedule, 0, 3) && waitsFor(schedule, 2, 1)).toBe(true)
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
  ])("refuses %j and names the cycle", (links, cycle) => {
    const error = Result.getOrThrow(
      Result.flip(DependencyOrder.make(operationsOf([undefined, "a", "a", undefined], links))),
    )
    expect(error.reason).toMatchObject({ code: "INVALID_DEPENDENCY", status: 400 })
    expect(error.message).toBe(`Dependencies form a cycle: ${cycle}`)
  })

  it("refuses any dependencies that form a cycle, and names one that is there", () => {
    fc.assert(
      fc.property(randomOperations({ maxLength: 8 }), fc.nat(), fc.nat(), (make_, from, to) => {
        const operations = make_()
        const first = operations[from % operations.length]!
        const second = operations[to % operations.length]!
        fc.pre(first === second || dependsOn(second, first))
        Object.assign(first, { dependsOn: [...first.dependsOn, { operation: second, accept: [] }] })
        const error = Result.getOrThrow(Result.flip(DependencyOrder.make(operations)))
        const cycle = [...error.message.matchAll(/"op-(\d+)"/g)].map(([, index]) => operations[Number(index)]!)
        expect(cycle.length).toBeGreaterThan(1)
        expect(cycle[0]).toBe(cycle.at(-1))
        cycle.slice(1).forEach((earlier, at) => {
          expect(cycle[at]!.dependsOn.some(({ operation }) => operation === earlier)).toBe(true)
        })
      }),
    )
  })

  it("turns a thousand operations on one target round without delay, each of which depends on all that follow", () => {
    const count = 1_000
    const targets = Array.from({ length: count }, () => "a")
    const links = targets.flatMap((_, from) => targets.slice(from + 1).map((_, at) => [from, from + 1 + at] as const))
    const operations = operationsOf(targets, links)
    const startedAt = performance.now()
    const { order } = make(operations)
    expect(performance.now() - startedAt).toBeLessThan(2_000)
    expect(order).toEqual(targets.map((_, index) => count - 1 - index))
  })
})
