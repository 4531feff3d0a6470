import { describe, expect, it } from "vitest"
import { failure, internalFailure, isFailure, statusOf } from "../../src/batch/Failure.ts"

describe("statusOf", () => {
  it.each([
    ["VALIDATION_ERROR", 422],
    ["NOT_FOUND", 404],
    ["DUPLICATE", 409],
    ["CONFLICT", 409],
    ["UNAUTHORIZED", 401],
    ["FORBIDDEN", 403],
    ["UNKNOWN_ACTION", 400],
    ["INVALID_REQUEST", 400],
    ["UNKNOWN_MEMBER", 400],
    ["INVALID_IDEMPOTENCY_KEY", 400],
    ["RATE_LIMITED", 429],
    ["TIMEOUT", 504],
    ["DEADLINE_EXCEEDED", 504],
    ["CANCELLED", 499],
    ["FAILED_DEPENDENCY", 424],
    ["UNRESOLVED_REFERENCE", 424],
    ["SKIPPED", 424],
    ["ROLLED_BACK", 424],
    ["NESTED_BATCH", 400],
    ["IDEMPOTENCY_KEY_REUSED", 422],
    ["IDEMPOTENCY_IN_PROGRESS", 409],
    ["OUTCOME_UNKNOWN", 409],
    ["PAYLOAD_TOO_LARGE", 413],
    ["HEADERS_TOO_LARGE", 431],
    ["RESPONSE_TOO_LARGE", 507],
    ["WORKER_LOST", 500],
    ["STORE_UNAVAILABLE", 503],
    ["INTERNAL", 500],
  ])("of %s is %i", (code, status) => {
    expect(statusOf(code)).toBe(status)
    expect(failure(code, "m").status).toBe(status)
  })

  it.each(["OUT_OF_STOCK", "", "not_found", "__proto__", "constructor", "toString"])(
    "of the application code %j is 422",
    (code) => expect(statusOf(code)).toBe(422),
  )
})

describe("failure", () => {
  it("has the status that the application gives, if any", () => {
    expect(failure("OUT_OF_STOCK", "m", { status: 409 }).status).toBe(409)
    expect(failure("NOT_FOUND", "m", { status: undefined }).status).toBe(404)
  })

  it.each([99_999, 0, 100, 204, 304, 399, 600, 404.5, Number.NaN, "404"])("rejects the status %s", (status) => {
    expect(() => failure("X", "m", { status: status as number })).toThrow(TypeError)
  })

  it("carries its details", () => {
    const details = { field: "email", errors: [{ message: "m" }], retryable: true, retryAfter: 3 }
    expect(failure("DUPLICATE", "Email already exists", details)).toMatchObject({
      code: "DUPLICATE",
      message: "Email already exists",
      ...details,
    })
  })
})

describe("isFailure", () => {
  it("is true of failures and false of look-alikes", () => {
    expect(isFailure(failure("NOT_FOUND", "m"))).toBe(true)
    const lookAlike = { code: "NOT_FOUND", message: "m", status: 404 }
    for (const value of [lookAlike, new Error("m"), "NOT_FOUND", null, undefined, 404, []]) {
      expect(isFailure(value)).toBe(false)
    }
  })

  it("is false of a failure copied through JSON", () => {
    expect(isFailure(JSON.parse(JSON.stringify(failure("NOT_FOUND", "m"))))).toBe(false)
  })
})

describe("internalFailure", () => {
  it("reveals nothing of the exception", () => {
    expect(internalFailure()).toMatchObject({
      code: "INTERNAL",
      status: 500,
      message: "The operation failed unexpectedly",
    })
  })
})
