import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { type Batch, tally } from "../../src/batch/Batch.ts"
import { failure } from "../../src/batch/Failure.ts"
import { OperationResult } from "../../src/batch/OperationResult.ts"
import { partial } from "../../src/batch/Strategy.ts"
import { operation } from "../support/operation.ts"

const results = {
  success: () => OperationResult.success(undefined),
  error: () => OperationResult.error(failure("CONFLICT", "m")),
  skipped: () => OperationResult.skipped(failure("SKIPPED", "m")),
}

const outcomeLists = fc.array(fc.constantFrom("success", "error", "skipped"))

const batchOf = (outcomes: ReadonlyArray<keyof typeof results>): Batch => ({
  strategy: partial,
  operations: outcomes.map((outcome, index) => operation({ index, result: results[outcome]() })),
})

describe("tally", () => {
  it("counts every operation exactly once", () => {
    fc.assert(
      fc.property(outcomeLists, (outcomes) => {
        const count = (expected: string) => outcomes.filter((outcome) => outcome === expected).length
        expect(tally(batchOf(outcomes))).toEqual({
          succeeded: count("success"),
          failed: count("error"),
          skipped: count("skipped"),
          replayed: 0,
        })
      }),
    )
  })

  it("counts replies of sub-requests by their status", () => {
    const operations = [200, 204, 304, 399, 400, 404, 500].map((status, index) =>
      operation({ index, result: OperationResult.replied(status, {}) }),
    )
    expect(tally({ strategy: partial, operations })).toEqual({ succeeded: 4, failed: 3, skipped: 0, replayed: 0 })
  })
})
