import { describe, expect, it } from "vitest"
import { failure } from "../../src/batch/Failure.ts"
import { isFulfilled } from "../../src/batch/Operation.ts"
import { OperationResult } from "../../src/batch/OperationResult.ts"
import { operation } from "../support/operation.ts"

const isFulfilledBy = (result: OperationResult | undefined, ...accept: ReadonlyArray<number>) =>
  isFulfilled({ operation: operation({ result }), accept })

describe("isFulfilled", () => {
  it.each([200, 201, 204, 299])("is true for the status %i", (status) => {
    expect(isFulfilledBy(OperationResult.replied(status, {}))).toBe(true)
  })

  it.each([100, 199, 300, 304, 400, 404, 409, 500])("is false for the status %i", (status) => {
    expect(isFulfilledBy(OperationResult.replied(status, {}))).toBe(false)
  })

  it("is true for a status that the dependency accepts", () => {
    expect(isFulfilledBy(OperationResult.replied(409, {}), 409)).toBe(true)
    expect(isFulfilledBy(OperationResult.error(failure("DUPLICATE", "m")), 404, 409)).toBe(true)
    expect(isFulfilledBy(OperationResult.replied(404, {}), 409)).toBe(false)
  })

  it("is false for a skipped operation, even if its status is accepted", () => {
    expect(isFulfilledBy(OperationResult.skipped(failure("FAILED_DEPENDENCY", "m")), 424)).toBe(false)
  })

  it("is false without a result", () => {
    expect(isFulfilledBy(undefined, 200)).toBe(false)
  })
})
