import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { describe, expect, it } from "vitest"
import * as z from "zod"
import type { AnswerOptions } from "../../src/api/AnswerOptions.ts"
import type { UnexpectedOrigin } from "../../src/engine/ErrorHandling.ts"
import { failure } from "../../src/batch/Failure.ts"
import { OutputError } from "../../src/batch/OutputError.ts"
import { memoryIdempotencyStore } from "../../src/idempotency/memoryIdempotencyStore.ts"
import type { Action } from "../../src/resources/Action.ts"
import { resource } from "../../src/resources/Resource.ts"
import { make, send } from "../support/endpoints.ts"

/** Endpoints of an action, and what they report to `onUnexpected`. */
const endpointsOf = (action: Action<unknown>, options: AnswerOptions = {}) => {
  const reported: Array<{ readonly error: unknown; readonly index: number | undefined }> = []
  const batch = make({
    onUnexpected: (error: unknown, { operation }: UnexpectedOrigin) =>
      reported.push({ error, index: operation?.index }),
    // Errors of outputs were not thrown by an action, so this function does not get them.
    mapError: (error) => (error instanceof OutputError ? failure("MAPPED", "Mapped") : undefined),
  })
  const things = resource("things", { create: action })
  return {
    bulk: batch.bulk(things, "create", options),
    operations: batch.operations(things, { data: true, ...options }),
    reported,
  }
}

const three = { things: [{}, {}, {}] }
const operations = {
  operations: [
    { action: "create", data: 0 },
    { action: "create", data: 1 },
  ],
}

const circular: { id: string; list: Array<unknown> } = { id: "c", list: [1] }
circular.list.push({ back: circular })

const deep = () => {
  let value: unknown = 1
  for (let depth = 0; depth < 50_000; depth++) value = [value]
  return value
}

const unencodable: ReadonlyArray<readonly [string, () => unknown, string]> = [
  ["a BigInt", () => ({ id: "x", rows: 5n }), "data.rows"],
  ["a BigInt alone", () => 5n, "data"],
  ["a BigInt deep inside", () => ({ pages: [{ rows: 1 }, { rows: 5n }] }), "data.pages.1.rows"],
  ["a cycle", () => circular, "data.list.1.back"],
  [
    "a toJSON that throws",
    () => ({
      at: {
        toJSON: () => {
          throw new Error("toJSON")
        },
      },
    }),
    "data.at",
  ],
  [
    "a getter that throws",
    () => ({
      get secret() {
        throw new Error("getter")
      },
    }),
    "data.secret",
  ],
]

describe("a value that cannot be written as JSON", () => {
  it.each(unencodable)("because of %s is left out of its successful result and reported", async (_, value, path) => {
    const { operations: endpoint, reported } = endpointsOf({ run: (input) => (input === 0 ? value() : { ok: true }) })
    const { status, json } = await send(endpoint, operations)
    expect(status).toBe(200)
    expect(json).toMatchObject({ status: "success", succeeded: 2 })
    expect(json.results[1]).toEqual({ index: 1, status: "success", data: { ok: true } })
    expect(reported).toEqual([{ error: expect.any(OutputError), index: 0 }])
    expect(reported[0]!.error).toMatchObject({ path })
  })

  it.each(unencodable)("because of %s leaves the other items of a bulk answer in place", async (_, value, path) => {
    const { bulk, reported } = endpointsOf({ run: (_, { index }) => (index === 1 ? value() : { id: index }) })
    const { status, json } = await send(bulk, three)
    expect(status).toBe(201)
    expect(json.created).toBe(3)
    expect(json.things).toHaveLength(3)
    expect(json.things[0]).toEqual({ id: 0 })
    expect(json.things[2]).toEqual({ id: 2 })
    expect(reported).toMatchObject([{ error: { path }, index: 1 }])
  })

  it.each(unencodable)("because of %s is left out alone if runMany returned it", async (_, value) => {
    let calls = 0
    const runMany = (items: ReadonlyArray<{ readonly index: number }>) => {
      calls++
      return items.map(({ index }) => (index === 1 ? value() : { id: index }))
    }
    const { bulk, reported } = endpointsOf({ runMany })
    const { json } = await send(bulk, three)
    expect(json.created).toBe(3)
    expect(calls).toBe(1)
    expect(reported.map(({ index }) => index)).toEqual([1])
  })

  it("keeps its id", async () => {
    const { bulk, operations: endpoint } = endpointsOf({ run: () => circular })
    expect((await send(bulk, { things: [{}] })).json).toEqual({ created: 1, things: [{ id: "c" }] })
    const { json } = await send(endpoint, { operations: [{ action: "create" }] })
    expect(json.results[0]).toEqual({ index: 0, status: "success", id: "c", data: { id: "c" } })
  })

  it("because it is nested too deeply is reported as well", async () => {
    const { bulk, reported } = endpointsOf({ run: deep })
    expect((await send(bulk, { things: [{}] })).json).toEqual({ created: 1, things: [{}] })
    expect(reported).toHaveLength(1)
  })

  it("is not stored, and its operation does not run again", async () => {
    let calls = 0
    const batch = make({
      tenant: () => "acme",
      idempotency: { store: memoryIdempotencyStore() },
      onUnexpected: () => {},
    })
    const things = resource("things", { create: { run: () => ({ id: ++calls, rows: 5n }) } })
    const endpoint = batch.operations(things, { data: true })
    const body = { operations: [{ action: "create", idempotency_key: "k" }] }
    await send(endpoint, body)
    const { json } = await send(endpoint, body)
    expect(json.results).toEqual([{ index: 0, status: "success", id: 1, data: { id: 1 }, replayed: true }])
    expect(calls).toBe(1)
  })
})

describe("a BigInt", () => {
  const value = { id: "x", rows: 5n, list: [1n, { large: 2n ** 53n - 1n }], date: new Date(0) }

  it('is written as a JSON number with bigint: "number"', async () => {
    const { bulk, reported } = endpointsOf({ run: () => value }, { bigint: "number" })
    const { json, body } = await send(bulk, { things: [{}] })
    expect(json.things).toEqual([
      { id: "x", rows: 5, list: [1, { large: Number.MAX_SAFE_INTEGER }], date: "1970-01-01T00:00:00.000Z" },
    ])
    expect(body).toContain('"rows":5,')
    expect(reported).toEqual([])
  })

  it('is written as a string with bigint: "string"', async () => {
    const { operations: endpoint } = endpointsOf({ run: () => 2n ** 64n }, { bigint: "string" })
    const { json } = await send(endpoint, { operations: [{ action: "create" }] })
    expect(json.results[0].data).toBe("18446744073709551616")
  })

  it('that a JSON number would round is left out and reported with bigint: "number"', async () => {
    const { operations: endpoint, reported } = endpointsOf({ run: () => ({ rows: 2n ** 53n }) }, { bigint: "number" })
    const { json } = await send(endpoint, { operations: [{ action: "create" }] })
    expect(json.results).toEqual([{ index: 0, status: "success" }])
    expect(reported).toMatchObject([{ error: { path: "data.rows" } }])
  })
})

describe("an Error that an action returns", () => {
  const error = new Error("Disk full")

  it.each<[string, Action<unknown>]>([
    ["run", { run: (_, { index }) => (index === 1 ? error : { id: index }) }],
    ["a promise of run", { run: async (_, { index }) => (index === 1 ? error : { id: index }) }],
    ["an effect of run", { run: (_, { index }) => Effect.succeed(index === 1 ? error : { id: index }) }],
    ["runMany", { runMany: (items) => items.map(({ index }) => (index === 1 ? error : { id: index })) }],
  ])("from %s is treated as thrown", async (_, action) => {
    const { bulk, reported } = endpointsOf(action)
    const { json } = await send(bulk, three)
    expect(json).toMatchObject({ status: "partial", succeeded: 2, failed: 1 })
    expect(json.results[1]).toMatchObject({ status: "error", error: { code: "INTERNAL" } })
    expect(reported).toEqual([{ error, index: 1 }])
  })
})

describe("an output schema", () => {
  const User = z.object({ id: z.string(), name: z.string().default("none") })

  it("makes the value that the client gets: members that it does not know are removed", async () => {
    const things = resource("things", {
      create: { output: User, run: () => ({ id: "u_1", password: "secret" }) },
    })
    const { json } = await send(make().bulk(things, "create"), { things: [{}] })
    expect(json.things).toEqual([{ id: "u_1", name: "none" }])
  })

  it("of Effect Schema encodes the value", async () => {
    const Event = Schema.Struct({ id: Schema.String, size: Schema.NumberFromString })
    const things = resource("things", { create: { output: Event, run: () => ({ id: "e", size: 12 }) } })
    const { json } = await send(make().bulk(things, "create"), { things: [{}] })
    expect(json.things).toEqual([{ id: "e", size: "12" }])
  })

  const wrong = (index: number) => (index === 1 ? { id: 7 } : { id: String(index) })
  const asynchronous = User.refine(async () => true)

  it.each<[string, Action<unknown, z.input<typeof User>>]>([
    ["run", { output: User, run: (_, { index }) => wrong(index) as never }],
    ["a promise of run", { output: User, run: async (_, { index }) => wrong(index) as never }],
    ["an effect of run", { output: User, run: (_, { index }) => Effect.succeed(wrong(index) as never) }],
    ["runMany", { output: User, runMany: (items) => items.map(({ index }) => wrong(index) as never) }],
    ["run, with an asynchronous schema", { output: asynchronous, run: (_, { index }) => wrong(index) as never }],
    [
      "runMany, with an asynchronous schema",
      { output: asynchronous, runMany: (items) => items.map(({ index }) => wrong(index) as never) },
    ],
  ])("fails only the operation whose value does not match, from %s", async (_, action) => {
    const { bulk, reported } = endpointsOf(action as never)
    const { json } = await send(bulk, three)
    expect(json).toMatchObject({ status: "partial", succeeded: 2, failed: 1 })
    expect(json.results[1]).toMatchObject({ status: "error", error: { code: "INTERNAL" } })
    expect(reported).toMatchObject([{ error: { name: "OutputError", path: "data.id" }, index: 1 }])
  })

  it("does not apply to failures", async () => {
    const things = resource("things", { create: { output: User, run: () => failure("NOT_FOUND", "None") } })
    const { json } = await send(make().bulk(things, "create"), { things: [{}] })
    expect(json.results[0].error.code).toBe("NOT_FOUND")
  })
})
