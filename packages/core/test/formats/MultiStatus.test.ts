import { describe, expect, it } from "vitest"
import * as MultiStatus from "../../src/formats/MultiStatus.ts"
import type { Batch } from "../../src/batch/Batch.ts"
import { failure } from "../../src/batch/Failure.ts"
import type { Operation } from "../../src/batch/Operation.ts"
import { OperationResult } from "../../src/batch/OperationResult.ts"
import { partial } from "../../src/batch/Strategy.ts"
import type { EncodeOptions } from "../../src/batch/Codec.ts"
import { operation } from "../support/operation.ts"

const encode = (
  operations: ReadonlyArray<Partial<Operation>>,
  options: Partial<MultiStatus.MultiStatusOptions> = {},
  encoding: Partial<EncodeOptions> = {},
) => {
  const batch: Batch = {
    strategy: partial,
    operations: operations.map((given, index) => operation({ index, ...given })),
  }
  const whole = { ...MultiStatus.defaults, ...options }
  const encoded = MultiStatus.encode(batch, whole, { responseBytes: undefined, prefer: undefined, ...encoding })
  return { ...encoded, json: JSON.parse(encoded.body) }
}

const success = (value?: unknown) => ({ result: OperationResult.success(value) })
const error = (code: string, message: string, details = {}) => ({
  result: OperationResult.error(failure(code, message, details)),
})
const skipped = (code: string) => ({ result: OperationResult.skipped(failure(code, "m")) })

describe("encode", () => {
  it("lists every result of a partial success", () => {
    const { status, json } = encode([
      success({ id: "u_001", name: "Alice" }),
      { ...success(), id: "u_042" },
      { ...error("NOT_FOUND", "User u_099 not found"), id: "u_099" },
    ])
    expect(status).toBe(207)
    expect(json).toEqual({
      status: "partial",
      succeeded: 2,
      failed: 1,
      results: [
        { index: 0, status: "success", id: "u_001" },
        { index: 1, status: "success", id: "u_042" },
        { index: 2, status: "error", id: "u_099", error: { code: "NOT_FOUND", message: "User u_099 not found" } },
      ],
    })
  })

  it("can list only the failures", () => {
    const operations = Array.from({ length: 50 }, (_, index) => {
      if (index === 12) return error("VALIDATION_ERROR", "Invalid email format", { field: "email" })
      return index === 37
        ? error("DUPLICATE", "Email already exists", { field: "email" })
        : success({ id: `u_${index}` })
    })
    const { status, body } = encode(operations, { listing: "failed" })
    expect(status).toBe(207)
    expect(JSON.parse(body)).toEqual({
      status: "partial",
      succeeded: 48,
      failed: 2,
      results: [
        {
          index: 12,
          status: "error",
          error: { code: "VALIDATION_ERROR", field: "email", message: "Invalid email format" },
        },
        { index: 37, status: "error", error: { code: "DUPLICATE", field: "email", message: "Email already exists" } },
      ],
    })
  })

  it("can list the ids of the successes", () => {
    const operations = [success({ id: "u_1" }), error("CONFLICT", "m"), success({ id: 7 }), success()]
    expect(encode(operations, { listing: "failed+ids" }).json).toMatchObject({
      succeeded_ids: ["u_1", 7, null],
      results: [{ index: 1 }],
    })
  })

  it("counts skipped operations by themselves, and only if there are any", () => {
    const codes = ["SKIPPED", "FAILED_DEPENDENCY", "UNRESOLVED_REFERENCE", "CANCELLED", "DEADLINE_EXCEEDED"]
    const { json } = encode([success(), ...codes.map(skipped)])
    expect(json).toMatchObject({ status: "partial", succeeded: 1, failed: 0, skipped: 5 })
    expect(json.results[1]).toEqual({ index: 1, status: "skipped", error: { code: "SKIPPED", message: "m" } })
    expect(encode([success()]).json).not.toHaveProperty("skipped")
  })

  it.each([
    { name: "a success", operations: [success()], verdict: "success", status: 200 },
    {
      name: "a success and an error",
      operations: [success(), error("CONFLICT", "m")],
      verdict: "partial",
      status: 207,
    },
    {
      name: "a success and a skipped one",
      operations: [success(), skipped("SKIPPED")],
      verdict: "partial",
      status: 207,
    },
    { name: "an error", operations: [error("CONFLICT", "m")], verdict: "failed", status: 207 },
    { name: "a skipped one", operations: [skipped("CANCELLED")], verdict: "failed", status: 207 },
    {
      name: "an error and a skipped one",
      operations: [error("CONFLICT", "m"), skipped("SKIPPED")],
      verdict: "failed",
      status: 207,
    },
  ])("gives $name the status $verdict and the HTTP status $status", ({ operations, verdict, status }) => {
    const encoded = encode(operations)
    expect(encoded).toMatchObject({ status, json: { status: verdict } })
    expect(encode(operations, { status: "200" }).status).toBe(200)
    expect(encode(operations, { status: "207" }).status).toBe(207)
  })

  it("includes every member of a failure", () => {
    const details = {
      field: "a.b",
      errors: [{ field: "a.b", message: "m" }, { message: "n" }],
      retryable: true,
      retryAfter: 3,
    }
    expect(encode([error("RATE_LIMITED", "m", details)]).json.results[0].error).toEqual({
      code: "RATE_LIMITED",
      message: "m",
      field: "a.b",
      errors: [{ field: "a.b", message: "m" }, { message: "n" }],
      retryable: true,
      retry_after: 3,
    })
  })

  it("includes what actions returned if it is configured or preferred", () => {
    const operations = [success({ id: "u_1", name: "Alice" }), error("CONFLICT", "m")]
    const [first] = encode(operations, { data: true }).json.results
    expect(first).toEqual({ index: 0, status: "success", id: "u_1", data: { id: "u_1", name: "Alice" } })
    const preferred = encode(operations, { listing: "failed" }, { prefer: "representation" })
    expect(preferred.json.results).toHaveLength(2)
    expect(preferred.json.results[0].data).toEqual({ id: "u_1", name: "Alice" })
    expect(preferred.preferenceApplied).toBe(true)
  })

  it("lists only the failures if the client prefers it", () => {
    const { json, preferenceApplied } = encode(
      [success({ id: 1 }), error("CONFLICT", "m")],
      { data: true },
      { prefer: "minimal" },
    )
    expect(json.results.map(({ index }: { readonly index: number }) => index)).toEqual([1])
    expect(preferenceApplied).toBe(true)
    expect(encode([success()]).preferenceApplied).toBe(false)
  })

  it("takes the id from what was returned, if that is a string or a number", () => {
    const id = (value: unknown, own?: string) => encode([{ ...success(value), id: own }]).json.results[0].id
    expect(id({ id: "u_1" }, "u_0")).toBe("u_1")
    expect(id({ id: 7 })).toBe(7)
    for (const value of [undefined, null, "x", [1], { id: null }, { id: {} }, {}, Object.create({ id: "inherited" })]) {
      expect(id(value, "u_0")).toBe("u_0")
    }
  })

  it("replaces results that do not fit, and still tells which operations ran", () => {
    const operations = Array.from({ length: 5 }, (_, index) => success({ id: index, text: "x".repeat(100) }))
    const { json, body } = encode(operations, { data: true }, { responseBytes: 400 })
    const codes = json.results.map((result: { readonly error?: { readonly code: string } }) => result.error?.code)
    expect(codes).toEqual([undefined, undefined, "RESPONSE_TOO_LARGE", "RESPONSE_TOO_LARGE", "RESPONSE_TOO_LARGE"])
    expect(json).toMatchObject({ status: "success", succeeded: 5, failed: 0 })
    expect(json.results[4].error.message).toContain("ran and succeeded")
    expect(body.length).toBeLessThan(1_200)
  })

  const circular: Record<string, unknown> = {}
  circular["self"] = circular
  const unencodable: Readonly<Record<string, unknown>> = {
    "a big integer": { id: "x", balance: 1n },
    "a cycle": circular,
    "a member that throws": {
      get name() {
        throw new Error("secret")
      },
    },
    "a toJSON that throws": {
      toJSON: () => {
        throw new Error("secret")
      },
    },
  }

  it.each(Object.entries(unencodable))("leaves out %s, and keeps the other results", (_, value) => {
    const { json, body } = encode([success({ id: 1 }), { ...success(value), id: "u_2" }, success({ id: 3 })], {
      data: true,
    })
    expect(json.results[1]).toEqual({ index: 1, status: "success", id: "u_2" })
    expect(json.results).toMatchObject([{ status: "success" }, {}, { status: "success" }])
    expect(body).not.toContain("secret")
  })
})

describe("decodeResult", () => {
  const roundTrip = (given: Partial<Operation>, data: boolean) => {
    const text = MultiStatus.encodeResult(operation({ index: 3, ...given }), { index: 7, data })
    const decoded = MultiStatus.decodeResult(text)
    return { text, decoded, again: MultiStatus.encodeResult(decoded, { index: decoded.index, data }) }
  }
  const stored = OperationResult.replay(OperationResult.success({ id: "u_1" }))
  const details = { field: "a", errors: [{ message: "m" }], retryable: true, retryAfter: 3 }

  it.each([
    { name: "a success with its value", given: success({ id: "u_1", name: "Alice" }), data: true },
    { name: "a success without its value", given: success({ id: "u_1", name: "Alice" }), data: false },
    { name: "a success with a number as its id", given: success({ id: 7 }), data: false },
    { name: "a success without a value", given: { ...success(), id: "u_1" }, data: true },
    { name: "a success with null", given: { ...success(null), id: "u_1" }, data: true },
    { name: "an error", given: { ...error("NOT_FOUND", "m", details), id: "u_1" }, data: false },
    { name: "a skipped operation", given: skipped("SKIPPED"), data: false },
    { name: "a replayed result", given: { result: stored }, data: true },
  ])("reads $name so that it is encoded in the same way", ({ given, data }) => {
    const { text, decoded, again } = roundTrip(given, data)
    expect(again).toBe(text)
    expect(decoded.index).toBe(7)
    expect(decoded.result!.outcome).toBe(given.result.outcome)
  })
})
