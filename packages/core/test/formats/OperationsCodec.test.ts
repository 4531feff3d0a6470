import * as Result from "effect/Result"
import { describe, expect, it } from "vitest"
import * as Operations from "../../src/formats/OperationsCodec.ts"
import * as Limits from "../../src/batch/Limits.ts"
import { partial } from "../../src/batch/Strategy.ts"

const decode = (value: Readonly<Record<string, unknown>>, codec = Operations.make()) =>
  codec.decode(
    { value, text: undefined, bytes: undefined },
    { limits: Limits.make(), strategy: { default: partial, choices: ["stop-after"] } },
  )

const operations = (...operations: ReadonlyArray<unknown>) => Result.getOrThrow(decode({ operations })).operations

describe("an operation", () => {
  it("is decoded into action, id, input and order key", () => {
    const decoded = operations(
      { action: "create", data: { name: "Alice", email: "alice@example.com" } },
      { action: "update", id: "u_042", data: { name: "Alice Smith" } },
      { action: "delete", id: "u_099" },
    )
    expect(decoded).toMatchObject([
      {
        action: "create",
        id: undefined,
        input: { name: "Alice", email: "alice@example.com" },
        orderKey: undefined,
      },
      { action: "update", id: "u_042", input: { name: "Alice Smith" }, orderKey: "u_042" },
      { action: "delete", id: "u_099", input: undefined, orderKey: "u_099" },
    ])
  })

  it.each([null, 7, "create", [], true])("that is %j is refused alone", (operation) => {
    const [first, second] = operations(operation, { action: "create" })
    expect(first!.result?.failure?.code).toBe("VALIDATION_ERROR")
    expect(second!.result).toBeUndefined()
  })

  it.each([undefined, null, "", 7, {}, ["create"]])("with the action %j is refused alone", (action) => {
    const [first, second] = operations({ action }, { action: "create" })
    expect(first!.result?.failure).toMatchObject({ code: "VALIDATION_ERROR", field: "action" })
    expect(second!.result).toBeUndefined()
  })

  it.each(["", {}, [], 1.5, true, "x".repeat(257), "a\nb"])("with the id %j is refused alone", (id) => {
    const [first] = operations({ action: "update", id })
    expect(first!.result?.failure).toMatchObject({ code: "VALIDATION_ERROR", field: "id" })
  })

  it("can have a whole number or 256 characters as its id", () => {
    const [first, second] = operations({ action: "update", id: 42 }, { action: "update", id: "x".repeat(256) })
    expect(first!.id).toBe("42")
    expect(second!.id).toBe("x".repeat(256))
  })

  it("with member names that can reach a prototype is refused alone", () => {
    const [first] = operations({ action: "create", data: JSON.parse(`{"constructor":{"prototype":{}}}`) })
    expect(first!.result?.failure?.code).toBe("VALIDATION_ERROR")
  })

  it("with a misspelled member is refused alone, with the nearest known name", () => {
    const [first, second] = operations(
      { action: "create", idempotencyKey: "pay-1", data: {} },
      { action: "create", data: { anyMember: "belongs to the application" } },
    )
    expect(first!.result?.failure).toMatchObject({
      code: "UNKNOWN_MEMBER",
      status: 400,
      field: "idempotencyKey",
      message: `Unknown member "idempotencyKey": did you mean "idempotency_key"?`,
    })
    expect(second!.result).toBeUndefined()
  })

  it("is decoded without unknown members where these are ignored", () => {
    const codec = Operations.make({ unknownMembers: "ignore" })
    const decoded = Result.getOrThrow(decode({ Atomic: true, operations: [{ action: "create", more: 1 }] }, codec))
    expect(decoded.operations[0]!.result).toBeUndefined()
  })

  it("has no member whose value is null", () => {
    const codec = Operations.make({ keyed: true })
    const operation = { action: "create", id: null, idempotency_key: null, more: null }
    const decoded = Result.getOrThrow(decode({ operations: [operation], atomic: null, stop_after: null }, codec))
    expect(decoded.operations[0]).toMatchObject({ id: undefined, idempotencyKey: undefined, result: undefined })
  })

  it("can have another order key than its id", () => {
    const codec = Operations.make({ orderBy: ({ action }) => action })
    const decoded = Result.getOrThrow(
      decode(
        {
          operations: [
            { action: "a", id: 1 },
            { action: "b", id: 1 },
          ],
        },
        codec,
      ),
    )
    expect(decoded.operations.map(({ orderKey }) => orderKey)).toEqual(["a", "b"])
  })
})

it("an operation that is too large is refused, and keeps its id", () => {
  const codec = Operations.make()
  const limits = Limits.make({ operationBytes: 20 })
  const value = { operations: [{ action: "update", id: "u_1", data: "x".repeat(20) }, "x".repeat(30)] }
  const options = { limits, strategy: { default: partial, choices: [] } }
  const decoded = codec.decode({ value, text: undefined, bytes: undefined }, options)
  expect(Result.getOrThrow(decoded).operations).toMatchObject([
    { id: "u_1", result: { failure: { code: "PAYLOAD_TOO_LARGE" } } },
    { id: undefined, result: { failure: { code: "PAYLOAD_TOO_LARGE" } } },
  ])
})

describe("the envelope", () => {
  it("can choose a strategy that is offered", () => {
    const strategy = (value: object) =>
      Result.getOrThrow(decode({ operations: [{ action: "create" }], ...value })).strategy
    expect(strategy({})).toEqual({ _tag: "partial" })
    expect(strategy({ stop_after: 3 })).toEqual({ _tag: "stop-after", failures: 3 })
    expect(strategy({ atomic: false })).toEqual({ _tag: "partial" })
  })

  it("is refused with a misspelled member, with its pointer and the nearest known name", () => {
    const refused = decode({ Atomic: true, operations: [{ action: "create" }] })
    expect(Result.isFailure(refused) && refused.failure.reason).toMatchObject({
      code: "UNKNOWN_MEMBER",
      status: 400,
      pointer: "/Atomic",
      detail: `Unknown member "Atomic": did you mean "atomic"?`,
    })
  })

  it("is refused with a strategy that is not offered", () => {
    const { reason } = Result.getOrThrow(Result.flip(decode({ operations: [{}], atomic: true })))
    expect(reason).toMatchObject({ code: "STRATEGY_NOT_OFFERED", status: 400 })
  })
})
