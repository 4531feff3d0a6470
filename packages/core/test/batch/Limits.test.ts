import { describe, expect, it } from "vitest"
import * as Limits from "../../src/batch/Limits.ts"

describe("make", () => {
  it("returns the documented defaults", () => {
    expect(Limits.make()).toStrictEqual({
      operations: 1_000,
      bodyBytes: 10_485_760,
      operationBytes: 1_048_576,
      headerBytes: 16_384,
      dependenciesPerOperation: 10,
      depth: 64,
      deadlineMs: 30_000,
      operationTimeoutMs: undefined,
      receiveTimeoutMs: 60_000,
      responseBytes: 33_554_432,
      concurrentBatches: undefined,
      concurrentBatchesPerTenant: undefined,
    })
  })

  it("keeps the default of an option that is undefined", () => {
    const { operations, depth } = Limits.make({ operations: undefined, depth: 10 })
    expect({ operations, depth }).toEqual({ operations: 1_000, depth: 10 })
  })
})
