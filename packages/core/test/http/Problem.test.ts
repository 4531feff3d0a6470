import { describe, expect, it } from "vitest"
import { BatchError } from "../../src/batch/BatchError.ts"
import {
  ClientGone,
  BatchExceedsQuota,
  Overloaded,
  PolicyRefusal,
  QuotaExceeded,
  ReceiveTimeout,
} from "../../src/batch/RefusalReason.ts"
import { failure } from "../../src/batch/Failure.ts"
import * as Problem from "../../src/http/Problem.ts"

const json = (problem: Problem.Problem) => JSON.parse(JSON.stringify(problem))

describe("ofBatchError", () => {
  it("has the members of RFC 9457, and the limit and the actual value", () => {
    expect(json(Problem.ofBatchError(BatchError.tooMany("TOO_MANY_OPERATIONS", 1_000, 1_001)))).toEqual({
      type: "urn:multistatus:problem:too-many-operations",
      title: "Too many operations",
      status: 413,
      detail: "The batch has 1001 operations, at most 1000 are allowed: split it into smaller batches",
      code: "TOO_MANY_OPERATIONS",
      limit: 1_000,
      actual: 1_001,
    })
  })

  it("has a pointer to the invalid part", () => {
    expect(json(Problem.ofBatchError(BatchError.invalid("DUPLICATE_ID", "twice", "/requests/1/id")))).toEqual({
      type: "urn:multistatus:problem:duplicate-id",
      title: "Duplicate id",
      status: 400,
      detail: "twice",
      code: "DUPLICATE_ID",
      pointer: "/requests/1/id",
    })
  })

  it("has no actual value where nothing was counted", () => {
    const problem = json(Problem.ofBatchError(BatchError.tooMany("PAYLOAD_TOO_LARGE", 10, undefined)))
    expect(problem).toMatchObject({ status: 413, limit: 10 })
    expect(problem).not.toHaveProperty("actual")
  })

  it.each([
    [BatchError.invalid("MALFORMED_JSON", "d"), 400, "MALFORMED_JSON"],
    [BatchError.unsupported("d"), 415, "UNSUPPORTED_MEDIA_TYPE"],
    [BatchError.strategyNotOffered("atomic", ["partial"]), 400, "STRATEGY_NOT_OFFERED"],
    [new BatchError({ reason: new ReceiveTimeout({ limit: 5 }) }), 408, "TIMEOUT"],
    [new BatchError({ reason: new ClientGone({}) }), 499, "CANCELLED"],
    [new BatchError({ reason: new Overloaded({ limit: 2, scope: "server", retryAfter: 1 }) }), 503, "OVERLOADED"],
    [new BatchError({ reason: new BatchExceedsQuota({ limit: 2, actual: 3 }) }), 422, "BATCH_EXCEEDS_QUOTA"],
    [
      new BatchError({ reason: new QuotaExceeded({ violated: ["ops"], fitsAfter: 2, retryAfter: 3 }) }),
      429,
      "RATE_LIMITED",
    ],
    [
      new BatchError({ reason: new PolicyRefusal({ code: "CLOSED", status: 451, detail: "d", retryAfter: 9 }) }),
      451,
      "CLOSED",
    ],
  ])("for %s has the status %i and the code %s", (error, status, code) => {
    expect(error.status).toBe(status)
    expect(json(Problem.ofBatchError(error))).toMatchObject({ status, code, detail: error.message })
  })

  it("names the violated policies of a quota, with the registered problem type", () => {
    const exceeded = new BatchError({ reason: new QuotaExceeded({ violated: ["ops"], fitsAfter: 2, retryAfter: 3 }) })
    expect(json(Problem.ofBatchError(exceeded))).toMatchObject({
      type: "https://iana.org/assignments/http-problem-types#quota-exceeded",
      "violated-policies": ["ops"],
      retry_after: 3,
    })
  })

  it("says after how many seconds to retry", () => {
    const overloaded = new BatchError({ reason: new Overloaded({ limit: 2, scope: "server", retryAfter: 1 }) })
    expect(json(Problem.ofBatchError(overloaded))).toMatchObject({ retry_after: 1, limit: 2 })
  })
})

describe("ofFailure", () => {
  it("carries the details of the failure", () => {
    const details = { field: "email", errors: [{ field: "email", message: "m" }], retryable: true, retryAfter: 3 }
    expect(json(Problem.ofFailure(failure("DUPLICATE", "Email already exists", details)))).toEqual({
      type: "urn:multistatus:problem:duplicate",
      title: "Duplicate",
      status: 409,
      detail: "Email already exists",
      code: "DUPLICATE",
      field: "email",
      errors: [{ field: "email", message: "m" }],
      retryable: true,
      retry_after: 3,
    })
  })
})

describe("internal", () => {
  it("reveals nothing of the exception", () => {
    expect(json(Problem.internal())).toEqual({
      type: "urn:multistatus:problem:internal",
      title: "Internal",
      status: 500,
      detail: "The request failed unexpectedly",
      code: "INTERNAL",
    })
  })
})
