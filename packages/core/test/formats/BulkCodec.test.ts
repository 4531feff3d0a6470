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

const answer = (
  codec: typeof create,
  users: ReadonlyArray<unknown>,
  results: ReadonlyArray<OperationResult>,
  encoding: Partial<Parameters<typeof create.encode>[1]> = {},
) => {
  const batch = decode(codec, users)
  batch.operations.forEach((operation, index) => (operation.result = results[index]))
  const {
    status,
    body,
    preferenceApplied: honoured,
  } = codec.encode(batch, { responseBytes: undefined, prefer: undefined, ...encoding })
  return { status, honoured, body: JSON.parse(body) }
}

const users = ["Alice", "Bob", "Carol"].map((name, index) => ({ id: `u_00${index + 1}`, name }))
const done = users.map((user) => OperationResult.success(user))
const conflict = OperationResult.error(failure("DUPLICATE", "Email already exists", { field: "email" }))

describe("an item", () => {
  it("that is created is the input as it is, whatever it is", () => {
    const items = [{ name: "Alice", id: "x" }, "text", 7, null, [1]]
    expect(decode(create, items).operations.map(({ id, input, action }) => ({ id, input, action }))).toEqual(
      items.map((input) => ({ id: undefined, input, action: "create" })),
    )
  })

  it("that exists is named by its id, beside which stands the input", () => {
    const { operations } = decode(update, [{ id: "u_1", name: "A" }, "u_2", 7, { id: 8, name: "B" }])
    expect(operations.map(({ id, orderKey, input }) => [id, orderKey, input])).toEqual([
      ["u_1", "u_1", { name: "A" }],
      ["u_2", "u_2", undefined],
      ["7", "7", undefined],
      ["8", "8", { name: "B" }],
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
  ])("that names nothing, such as %j, is refused alone", (item) => {
    const { operations } = decode(update, [item, { id: "u_1" }])
    expect(operations[0]!.result?.failure).toMatchObject({ code: "VALIDATION_ERROR", field: "id" })
    expect(operations[1]!.result).toBeUndefined()
  })

  it("whose names could reach a prototype is refused alone", () => {
    const { operations } = decode(create, [JSON.parse(`{"__proto__":{"admin":true}}`), {}])
    expect(operations[0]!.result?.failure?.code).toBe("VALIDATION_ERROR")
    expect(operations[1]!.result).toBeUndefined()
  })

  it("may be ordered by another key than its id", () => {
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

describe("the answer", () => {
  it("to what all succeeded is the short one of the article", () => {
    expect(answer(create, users, done)).toEqual({ status: 201, honoured: false, body: { created: 3, users } })
  })

  it("names those that nothing was returned for by their ids", () => {
    const nothing = users.map(() => OperationResult.success(undefined))
    expect(answer(update, users, nothing).body).toEqual({ updated: 3, users: users.map(({ id }) => ({ id })) })
  })

  it("to a failure is the long one, with the count beside it and without the items", () => {
    expect(answer(create, users, [done[0]!, conflict, done[2]!])).toEqual({
      status: 207,
      honoured: false,
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

  it("is as short as the client prefers it", () => {
    expect(answer(create, users, done, { prefer: "minimal" })).toEqual({
      status: 201,
      honoured: true,
      body: { created: 3 },
    })
    const representation = answer(create, users, done, { prefer: "representation" })
    expect(representation).toEqual({ status: 201, honoured: true, body: { created: 3, users } })
  })

  it("has the status that is configured for success", () => {
    const status = (status: "200" | "207") =>
      answer(
        Bulk.make({ action: "create", list: "users", count: "created", successStatus: 201, identified: false, status }),
        users,
        done,
      ).status
    expect([status("200"), status("207")]).toEqual([200, 207])
  })

  it("that would be too large is the long one", () => {
    const { status, body } = answer(create, users, done, { responseBytes: 60 })
    expect(status).toBe(207)
    expect(body).toMatchObject({ status: "success", succeeded: 3, failed: 0, created: 3 })
    expect(body).not.toHaveProperty("users")
  })

  it("that cannot be encoded is the long one", () => {
    const { body } = answer(create, users, [done[0]!, OperationResult.success({ id: "b", n: 1n }), done[2]!])
    expect(body).toMatchObject({ succeeded: 3, created: 3, results: [{ id: "u_001" }, { id: "b" }, { id: "u_003" }] })
  })
})
