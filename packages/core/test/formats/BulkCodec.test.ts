import * as Result from "effect/Result"
import { describe, expect, it } from "vitest"
import * as Bulk from "../../src/formats/BulkCodec.ts"
import { failure } from "../../src/batch/Failure.ts"
import * as Limits from "../../src/batch/Limits.ts"
import { OperationResult } from "../../src/batch/OperationResult.ts"
import { partial } from "../../src/batch/Strategy.ts"

const create = Bulk.make({ action: "create", list: "users", count: "created", successStatus: 201, identified: false })
const update = Bulk.make({ action: "update", list: "users", count: "updated", successStatus: 200, identified: true })

const decode = (codec: typeof create, users: unknown) => {
  const envelope = { value: { users }, text: undefined, bytes: undefined }
  const options = { limits: Limits.make(), strategy: { default: partial, choices: [] } }
  return Result.getOrThrow(codec.decode(envelope, options))
}

const encode = (
  codec: typeof create,
  users: ReadonlyArray<unknown>,
  results: ReadonlyArray<OperationResult>,
  encoding: Partial<Parameters<typeof create.encode>[1]> = {},
) => {
  const batch = decode(codec, users)
  batch.operations.forEach((operation, index) => (operation.result = results[index]))
  const encoded = codec.encode(batch, { responseBytes: undefined, prefer: undefined, ...encoding })
  return { ...encoded, body: JSON.parse(encoded.body) }
}

const users = ["Alice", "Bob", "Carol"].map((name, index) => ({ id: `u_00${index + 1}`, name }))
const successes = users.map((user) => OperationResult.success(user))
const conflict = OperationResult.error(failure("DUPLICATE", "Email already exists", { field: "email" }))

describe("an item", () => {
  it("is the input of a creation, whatever it is", () => {
    const items = [{ name: "Alice", id: "x" }, "text", 7, null, [1]]
    expect(decode(create, items).operations.map(({ id, input, action }) => ({ id, input, action }))).toEqual(
      items.map((input) => ({ id: undefined, input, action: "create" })),
    )
  })

  it("with an id, or that is an id, names an existing resource", () => {
    const { operations } = decode(update, [{ id: "u_1", name: "A" }, "u_2", 7, { id: 8, name: "B" }])
    expect(operations).toMatchObject([
      { id: "u_1", orderKey: "u_1", input: { name: "A" } },
      { id: "u_2", orderKey: "u_2", input: undefined },
      { id: "7", orderKey: "7", input: undefined },
      { id: "8", orderKey: "8", input: { name: "B" } },
    ])
  })

  it.each([
    {},
    { id: null },
    { id: "" },
    { id: {} },
    { id: 1.5 },
    { id: "x".repeat(257) },
    { id: "a\u0000" },
    null,
    true,
    [],
  ])("without a valid id, such as %j, is refused alone", (item) => {
    const { operations } = decode(update, [item, { id: "u_1" }])
    expect(operations[0]!.result?.failure).toMatchObject({ code: "VALIDATION_ERROR", field: "id" })
    expect(operations[1]!.result).toBeUndefined()
  })

  it("with member names that can reach a prototype is refused alone", () => {
    const { operations } = decode(create, [JSON.parse(`{"__proto__":{"admin":true}}`), {}])
    expect(operations[0]!.result?.failure?.code).toBe("VALIDATION_ERROR")
    expect(operations[1]!.result).toBeUndefined()
  })

  it("can have another order key than its id", () => {
    const orderBy = ({ data }: { readonly data: unknown }) => (data as { readonly team: string }).team
    const codec = Bulk.make({
      action: "create",
      list: "users",
      count: "n",
      successStatus: 201,
      identified: false,
      orderBy,
    })
    expect(decode(codec, [{ team: "a" }, { team: "b" }]).operations.map(({ orderKey }) => orderKey)).toEqual(["a", "b"])
  })
})

describe("the envelope", () => {
  const decodeEnvelope = (codec: typeof create) =>
    codec.decode(
      { value: { users: [{ Name: 1 }], Stop_After: 1 }, text: undefined, bytes: undefined },
      { limits: Limits.make(), strategy: { default: partial, choices: [] } },
    )

  it("is refused with an unknown member, while items may have any", () => {
    const refused = decodeEnvelope(create)
    expect(Result.isFailure(refused) && refused.failure.reason).toMatchObject({
      code: "UNKNOWN_MEMBER",
      pointer: "/Stop_After",
      detail: `Unknown member "Stop_After": did you mean "stop_after"?`,
    })
  })

  it("may have unknown members where these are ignored", () => {
    const lenient = Bulk.make({
      action: "create",
      list: "users",
      count: "created",
      successStatus: 201,
      identified: false,
      unknownMembers: "ignore",
    })
    expect(Result.isSuccess(decodeEnvelope(lenient))).toBe(true)
  })
})

describe("the response", () => {
  it("has the short form if every item succeeded", () => {
    expect(encode(create, users, successes)).toEqual({
      status: 201,
      preferenceApplied: false,
      body: { created: 3, users },
    })
  })

  it("has the ids of items for which nothing was returned", () => {
    const nothing = users.map(() => OperationResult.success(undefined))
    expect(encode(update, users, nothing).body).toEqual({ updated: 3, users: users.map(({ id }) => ({ id })) })
  })

  it("has the long form, with the count and without the items, if an item failed", () => {
    expect(encode(create, users, [successes[0]!, conflict, successes[2]!])).toEqual({
      status: 207,
      preferenceApplied: false,
      body: {
        status: "partial",
        succeeded: 2,
        failed: 1,
        created: 2,
        results: [
          { index: 0, status: "success", id: "u_001" },
          { index: 1, status: "error", error: { code: "DUPLICATE", field: "email", message: "Email already exists" } },
          { index: 2, status: "success", id: "u_003" },
        ],
      },
    })
  })

  it("follows the preference of the client", () => {
    expect(encode(create, users, successes, { prefer: "minimal" })).toEqual({
      status: 201,
      preferenceApplied: true,
      body: { created: 3 },
    })
    const representation = encode(create, users, successes, { prefer: "representation" })
    expect(representation).toEqual({ status: 201, preferenceApplied: true, body: { created: 3, users } })
  })

  it.each(["200", "207"] as const)("has the configured status %s", (status) => {
    const codec = Bulk.make({
      action: "create",
      list: "users",
      count: "created",
      successStatus: 201,
      identified: false,
      status,
    })
    expect(encode(codec, users, successes).status).toBe(Number(status))
  })

  it("has the long form if the short one is too large", () => {
    const { status, body } = encode(create, users, successes, { responseBytes: 60 })
    expect(status).toBe(207)
    expect(body).toMatchObject({ status: "success", succeeded: 3, failed: 0, created: 3 })
    expect(body).not.toHaveProperty("users")
  })

  it("has the long form if a value is not JSON", () => {
    const { body } = encode(create, users, [successes[0]!, OperationResult.success({ id: "b", n: 1n }), successes[2]!])
    expect(body).toMatchObject({ succeeded: 3, created: 3, results: [{ id: "u_001" }, { id: "b" }, { id: "u_003" }] })
  })
})

describe("the idempotency key of an item", () => {
  const keyed = Bulk.make({
    action: "create",
    list: "users",
    count: "created",
    successStatus: 201,
    identified: false,
    idempotencyKey: (user) => (user as { readonly name: string }).name,
  })

  it("is what the function returns", () => {
    expect(decode(keyed, [{ name: "Alice" }]).operations[0]).toMatchObject({ idempotencyKey: "Alice" })
  })

  it("is not read from an item that was refused", () => {
    const refusal = failure("VALIDATION_ERROR", "Line 1 is not JSON")
    const operation = keyed.items!.decodeItem(undefined, 0, refusal)
    expect(operation).toMatchObject({ idempotencyKey: undefined, result: { failure: refusal } })
  })
})
