import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { failure, internalFailure } from "../../src/batch/Failure.ts"
import type { Operation } from "../../src/batch/Operation.ts"
import { OperationResult } from "../../src/batch/OperationResult.ts"
import * as Coalescer from "../../src/execution/Coalescer.ts"
import { endings, operations } from "../support/execute.ts"

/** Runs operations with a handler that throws if a faulty operation is among those that it gets. */
const runWith = (
  count: number,
  isFaulty: (index: number) => boolean,
  results = (group: ReadonlyArray<Operation>) => group.map(() => OperationResult.success("done")),
) => {
  const all = operations(count)
  const calls: Array<ReadonlyArray<number>> = []
  const defects: Array<number> = []
  const call = (group: ReadonlyArray<Operation>) => {
    calls.push(group.map(({ index }) => index))
    return group.some(({ index }) => isFaulty(index)) ? new Error("bug") : undefined
  }
  let finished = 0
  Coalescer.run(
    all,
    {
      runMany: (group, resolve, reject) => {
        const error = call(group)
        if (error === undefined) resolve(results(group))
        else reject(error)
      },
      runOne: (operation, resolve, reject) => {
        const error = call([operation])
        if (error === undefined) resolve(OperationResult.success("done"))
        else reject(error)
      },
      settle: (operation, result) => {
        expect(operation.result).toBeUndefined()
        Object.assign(operation, { result })
      },
      hasEnded: () => false,
      onDefect: (_, { index }) => {
        defects.push(index)
        return OperationResult.error(internalFailure())
      },
    },
    () => finished++,
  )
  expect(finished).toBe(1)
  return { all, calls, defects }
}

describe("run", () => {
  it("makes one call if no operation is faulty", () => {
    const { all, calls } = runWith(100, () => false)
    expect(calls).toHaveLength(1)
    expect(endings(all)).toEqual(all.map(() => "success"))
  })

  it("finds k faulty operations among n in at most 2 k log2(n) + 1 calls", () => {
    const cases = fc
      .integer({ min: 1, max: 300 })
      .chain((count) => fc.tuple(fc.constant(count), fc.uniqueArray(fc.nat(count - 1), { maxLength: 20 })))
    fc.assert(
      fc.property(cases, ([count, faulty]) => {
        const { all, calls, defects } = runWith(count, (index) => faulty.includes(index))
        expect(calls.length).toBeLessThanOrEqual(2 * faulty.length * Math.ceil(Math.log2(count)) + 1)
        expect(defects).toEqual([...faulty].sort((a, b) => a - b))
        expect(endings(all)).toEqual(all.map(({ index }) => (faulty.includes(index) ? "error INTERNAL" : "success")))
      }),
    )
  })

  it("never repeats an operation whose call did not throw", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(63)), (faulty) => {
        const { calls } = runWith(64, (index) => faulty.includes(index))
        const done = new Set<number>()
        for (const call of calls) {
          expect(call.filter((index) => done.has(index))).toEqual([])
          if (!call.some((index) => faulty.includes(index))) for (const index of call) done.add(index)
        }
      }),
    )
  })

  it("reports a defect of each operation if a call returns the wrong number of results, without another call", () => {
    for (const length of [0, 4, 6]) {
      const results = Array.from({ length }, () => OperationResult.success("done"))
      const { all, calls } = runWith(
        5,
        () => false,
        () => results,
      )
      expect(calls).toHaveLength(1)
      expect(endings(all)).toEqual(all.map(() => "error INTERNAL"))
    }
  })

  it("settles each operation with its own result", () => {
    const results = (group: ReadonlyArray<Operation>) =>
      group.map(({ index }) =>
        index === 1 ? OperationResult.error(failure("DUPLICATE", "m")) : OperationResult.success(index),
      )
    const { all, calls } = runWith(3, () => false, results)
    expect(calls).toHaveLength(1)
    expect(endings(all)).toEqual(["success", "error DUPLICATE", "success"])
  })

  it("makes no more calls once the group has ended", () => {
    const all = operations(8)
    let calls = 0
    let finished = 0
    Coalescer.run(
      all,
      {
        runMany: (_, __, reject) => {
          calls++
          reject(new Error("bug"))
        },
        runOne: () => calls++,
        settle: () => expect.unreachable(),
        hasEnded: () => calls >= 2,
        onDefect: () => expect.unreachable(),
      },
      () => finished++,
    )
    expect({ calls, finished }).toEqual({ calls: 2, finished: 1 })
  })
})
