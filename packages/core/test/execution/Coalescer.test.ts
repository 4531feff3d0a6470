import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { failure, internalFailure } from "../../src/batch/Failure.ts"
import type { Operation } from "../../src/batch/Operation.ts"
import { OperationResult } from "../../src/batch/OperationResult.ts"
import * as Coalescer from "../../src/execution/Coalescer.ts"
import { endings, operations } from "../support/execute.ts"

/** Runs operations with a handler that throws as soon as an offender is among those it is given. */
const runWith = (
  count: number,
  isOffender: (index: number) => boolean,
  results = (many: ReadonlyArray<Operation>) => many.map(() => OperationResult.success("done")),
) => {
  const all = operations(count)
  const calls: Array<ReadonlyArray<number>> = []
  const defects: Array<number> = []
  const call = (many: ReadonlyArray<Operation>) => {
    calls.push(many.map(({ index }) => index))
    if (many.some(({ index }) => isOffender(index))) throw new Error("bug")
  }
  const ask = <A>(run: () => A, hear: (outcome: Coalescer.CallOutcome<A>) => void) => {
    let outcome: Coalescer.CallOutcome<A>
    try {
      outcome = { _tag: "answer", value: run() }
    } catch (defect) {
      outcome = { _tag: "defect", defect }
    }
    hear(outcome)
  }
  let finished = 0
  Coalescer.run(
    all,
    {
      many: (many, hear) => ask(() => (call(many), results(many)), hear),
      one: (one, hear) => ask(() => (call([one]), OperationResult.success("done")), hear),
      settle: (operation, result) => {
        expect(operation.result).toBeUndefined()
        Object.assign(operation, { result })
      },
      isOver: () => false,
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
  it("makes one call of operations none of which is wrong", () => {
    const { all, calls } = runWith(100, () => false)
    expect(calls).toHaveLength(1)
    expect(endings(all)).toEqual(all.map(() => "success"))
  })

  it("finds k offenders among n operations in at most 2 k log2(n) + 1 calls", () => {
    const cases = fc
      .integer({ min: 1, max: 300 })
      .chain((count) => fc.tuple(fc.constant(count), fc.uniqueArray(fc.nat(count - 1), { maxLength: 20 })))
    fc.assert(
      fc.property(cases, ([count, offenders]) => {
        const { all, calls, defects } = runWith(count, (index) => offenders.includes(index))
        expect(calls.length).toBeLessThanOrEqual(2 * offenders.length * Math.ceil(Math.log2(count)) + 1)
        expect(defects).toEqual([...offenders].sort((a, b) => a - b))
        expect(endings(all)).toEqual(all.map(({ index }) => (offenders.includes(index) ? "error INTERNAL" : "success")))
      }),
    )
  })

  it("calls no operation again once a call with it did not throw", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(63)), (offenders) => {
        const { calls } = runWith(64, (index) => offenders.includes(index))
        const ran = new Set<number>()
        for (const call of calls) {
          expect(call.filter((index) => ran.has(index))).toEqual([])
          if (!call.some((index) => offenders.includes(index))) for (const index of call) ran.add(index)
        }
      }),
    )
  })

  it("takes as a defect of each what is answered in the wrong number, without another call", () => {
    for (const length of [0, 4, 6]) {
      const answer = Array.from({ length }, () => OperationResult.success("done"))
      const { all, calls } = runWith(
        5,
        () => false,
        () => answer,
      )
      expect(calls).toHaveLength(1)
      expect(endings(all)).toEqual(all.map(() => "error INTERNAL"))
    }
  })

  it("keeps the failure of each that a call answers with", () => {
    const answer = (many: ReadonlyArray<Operation>) =>
      many.map(({ index }) =>
        index === 1 ? OperationResult.error(failure("DUPLICATE", "m")) : OperationResult.success(index),
      )
    const { all, calls } = runWith(3, () => false, answer)
    expect(calls).toHaveLength(1)
    expect(endings(all)).toEqual(["success", "error DUPLICATE", "success"])
  })

  it("calls nothing more when the call was given up", () => {
    const all = operations(8)
    let calls = 0
    let finished = 0
    Coalescer.run(
      all,
      {
        many: (_, hear) => {
          calls++
          hear({ _tag: "defect", defect: new Error("bug") })
        },
        one: () => calls++,
        settle: () => expect.unreachable(),
        isOver: () => calls >= 2,
        onDefect: () => expect.unreachable(),
      },
      () => finished++,
    )
    expect([calls, finished]).toEqual([2, 1])
  })
})
