import { describe, expect, it } from "vitest"
import { failure } from "../../src/batch/Failure.ts"
import { isFulfilled } from "../../src/batch/Operation.ts"
import { OperationResult } from "../../src/batch/OperationResult.ts"
import { operation } from "../support/operation.ts"

const ended = (result: OperationResult | undefined, ...accept: ReadonlyArray<number>) =>
  isFulfilled({ operation: operation({ result }), accept })

describe("isFulfilled", () => {
  it.each([200, 201, 204, 299])("is true of %i", (status) => {
    expect(ended(OperationResult.replied(status, {}))).toBe(true)
  })

  it.each([100, 199, 300, 304, 400, 404, 409, 500])("is false of %i", (status) => {
    expect(ended(OperationResult.replied(status, {}))).toBe(false)
  })

  it("is true of a status that is accepted", () => {
    expect(ended(OperationResult.replied(409, {}), 409)).toBe(true)
    expect(ended(OperationResult.error(failure("DUPLICATE", "m")), 404, 409)).toBe(true)
    expect(ended(OperationResult.replied(404, {}), 409)).toBe(false)
  })

  it("is false of what never ran, even if its status is accepted", () => {
    expect(ended(OperationResult.skipped(failure("FAILED_DEPENDENCY", "m")), 424)).toBe(false)
  })

  it("is false as long as there is no result", () => {
    expect(ended(undefined, 200)).toBe(false)
  })
})
