import { describe, expect, it } from "vitest"
import type { Api, OperationResult, Results, User } from "./Api.ts"
import { onBoth } from "./onBoth.ts"

const both = onBoth()

const bulk = async (
  api: Api,
  action: "create" | "update" | "delete",
  users: ReadonlyArray<unknown>,
  prefer?: string,
) => {
  const headers = prefer === undefined ? {} : { prefer }
  return api.ask("POST", `/api/v1/users/bulk-${action}`, { body: { users }, headers })
}

const codes = ({ results }: { readonly results: ReadonlyArray<OperationResult> }) =>
  results.map(({ error }) => error?.code)

describe("unknown members", () => {
  it("refuse the batch in the envelope, and one operation in that operation", () =>
    both(async (api) => {
      const create = { action: "create", data: { name: "Ada" } }
      const refused = await api.ask("POST", "/api/v1/users/batch", { body: { Atomic: true, operations: [create] } })
      expect(refused).toMatchObject({ status: 400, body: { code: "UNKNOWN_MEMBER", pointer: "/Atomic" } })
      expect(JSON.stringify(refused.body)).toContain(String.raw`did you mean \"atomic\"?`)
      const { status, body } = await api.operations([{ ...create, idempotencyKey: "pay-1" }, create])
      expect(status).toBe(207)
      expect(codes(body)).toEqual(["UNKNOWN_MEMBER", undefined])
      expect(await api.names()).toEqual(["Ada"])
    }))
})

describe("operations", () => {
  it("of an unknown action fail alone, whatever its name is", () =>
    both(async (api) => {
      const names = [
        "valueOf",
        "toString",
        "__proto__",
        "constructor",
        "hasOwnProperty",
        "CREATE",
        "create ",
        "archive",
      ]
      const { status, body } = await api.operations([
        ...names.map((action) => ({ action, id: "u_1", data: { name: "Nobody" } })),
        { action: "create", data: { name: "Somebody" } },
      ])
      expect(status).toBe(207)
      expect(codes(body)).toEqual([...names.map(() => "UNKNOWN_ACTION"), undefined])
      expect(body.results[0]!.error).toEqual({ code: "UNKNOWN_ACTION", field: "action", message: expect.any(String) })
      expect(await api.names()).toEqual(["Somebody"])
    }))

  it("of a wrong shape fail alone", () =>
    both(async (api) => {
      const wrong = [
        null,
        7,
        "create",
        [],
        {},
        { action: null },
        { action: ["create"] },
        { action: "" },
        { action: "update", data: { name: "x" } },
        { action: "delete" },
        { action: "delete", id: "" },
        { action: "delete", id: null },
        { action: "delete", id: {} },
        { action: "delete", id: "x".repeat(257) },
        { action: "delete", id: "u_\u0000" },
        { action: "create" },
        { action: "create", data: null },
        { action: "create", data: "Nobody" },
        { action: "create", data: [{ name: "Nobody" }] },
        { action: "sleep", data: { ms: -1 } },
        { action: "sleep" },
      ]
      const { status, body } = await api.operations([...wrong, { action: "create", data: { name: "Somebody" } }])
      expect(status).toBe(207)
      expect(codes(body)).toEqual([...wrong.map(() => "VALIDATION_ERROR"), undefined])
      expect(body).toMatchObject({ succeeded: 1, failed: wrong.length })
      expect(await api.names()).toEqual(["Somebody"])
    }))

  it("that throw get INTERNAL without the exception's text, and the server keeps working", () =>
    both(async (api) => {
      const { body, text } = await api.operations([{ action: "boom" }, { action: "create", data: { name: "a" } }])
      expect(body.results[0]).toEqual({
        index: 0,
        status: "error",
        error: { code: "INTERNAL", message: "The operation failed unexpectedly" },
      })
      expect(body.results[1]).toMatchObject({ status: "success" })
      expect(text).not.toMatch(/boom|Error:|\.ts/)
      expect((await api.operations([{ action: "boom" }])).status).toBe(207)
    }))

  it("on one target run in request order", () =>
    both(async (api) => {
      const [a] = (await api.people("a")) as [User]
      const updates = Array.from({ length: 100 }, (_, n) => ({ action: "update", id: a.id, data: { n, [`m${n}`]: n } }))
      const { body } = await api.operations([
        ...updates,
        { action: "delete", id: a.id },
        { action: "update", id: a.id, data: { n: 0 } },
        { action: "delete", id: a.id },
      ])
      expect(codes(body).slice(-4)).toEqual([undefined, undefined, "NOT_FOUND", "NOT_FOUND"])
      expect(body.succeeded).toBe(101)
      const [b] = (await api.people("b")) as [User]
      await api.operations(updates.map((update) => ({ ...update, id: b.id })))
      expect(await api.users()).toEqual([
        { ...b, ...Object.fromEntries(updates.flatMap(({ data }) => Object.entries(data))) },
      ])
    }))

  it("keep their results in request order when they end in another order", () =>
    both(async (api) => {
      const { body } = await api.operations(
        [150, 100, 50, 0].map((ms) => ({ action: "sleep", data: { ms } })),
        {},
        { prefer: "return=representation" },
      )
      expect(body.results.map(({ index, data }) => [index, data])).toEqual([
        [0, { slept: 150 }],
        [1, { slept: 100 }],
        [2, { slept: 50 }],
        [3, { slept: 0 }],
      ])
    }))

  it("keep every number that JSON can express", () =>
    both(async (api) => {
      const body = `{"operations":[
        {"action":"create","data":{"name":"a","n":[1e400,-0,9007199254740993,0.1e-400,"\\ud800"]}},
        {"action":"delete","id":1e400},{"action":"delete","id":9007199254740993},{"action":"delete","id":-0},
        {"action":"sleep","data":{"ms":1e400}}]}`
      const answer = await api.ask("POST", "/api/v1/users/batch", { body })
      expect(codes(answer.body as Results)).toEqual([
        undefined,
        "VALIDATION_ERROR",
        "VALIDATION_ERROR",
        "NOT_FOUND",
        "VALIDATION_ERROR",
      ])
      await api.ask("POST", "/api/v1/users", {
        body: '{"name":"a","n":[1e400,-0,9007199254740993,0.1e-400,"\\ud800"]}',
      })
      const [batched, alone] = (await api.users()).map(({ id: _, ...user }) => user)
      expect(batched).toEqual(alone)
    }))

  it("answer a text that is not Unicode with valid JSON", () =>
    both(async (api) => {
      const { text, body } = await api.operations([{ action: "delete", id: "u_\ud800" }])
      expect(codes(body)).toEqual(["NOT_FOUND"])
      expect(text).toContain("\\ud800")
    }))
})

describe("the answer of a mixed batch", () => {
  const mixed = [
    { action: "create", data: { name: "a", email: "a@example.com" } },
    { action: "create", data: { name: "b", email: "nope" } },
    { action: "nope" },
  ]

  it("reports each outcome in counts, statuses and codes", () =>
    both(async (api) => {
      const { status, body } = await api.operations(mixed)
      expect(status).toBe(207)
      expect(Object.keys(body)).toEqual(["status", "succeeded", "failed", "results"])
      expect(body).toMatchObject({ status: "partial", succeeded: 1, failed: 2 })
      expect(body.results[0]).toEqual({ index: 0, status: "success", id: expect.stringMatching(/^u_/) })
    }))

  it("lists the results that the client prefers", () =>
    both(async (api) => {
      for (const prefer of ["return=minimal", 'return="minimal"', "RETURN=MINIMAL", "wait=10, return=minimal; x=1"]) {
        const { headers, body } = await api.operations(mixed.slice(1), {}, { prefer })
        expect(headers["preference-applied"]).toBe("return=minimal")
        expect(body.results.map(({ index }) => index)).toEqual([0, 1])
      }
      const minimal = await api.operations(mixed, {}, { prefer: "return=minimal" })
      expect(minimal.body.results.map(({ index }) => index)).toEqual([1, 2])
      const whole = await api.operations(
        [{ action: "create", data: { name: "c" } }],
        {},
        { prefer: "return=representation" },
      )
      expect(whole.headers["preference-applied"]).toBe("return=representation")
      expect(whole.body.results).toEqual([
        {
          index: 0,
          status: "success",
          id: expect.any(String),
          data: { id: expect.any(String), name: "c", email: null },
        },
      ])
      const good = await bulk(api, "create", [{ name: "d" }], "return=minimal")
      expect(good).toMatchObject({ status: 201, body: { created: 1 } })
      for (const prefer of ["return=everything", "return", "handling=lenient", ""]) {
        const { headers, body } = await api.operations(mixed.slice(1), {}, { prefer })
        expect(headers["preference-applied"]).toBeUndefined()
        expect(body.results).toHaveLength(2)
      }
    }))
})

describe("stop-after", () => {
  const good = (name: string) => ({ action: "create", data: { name } })
  const bad = { action: "delete", id: "u_no" }

  it("starts no more operations after that many failures", () =>
    both(async (api) => {
      const many = Array.from({ length: 60 }, (_, index) => good(`late${index}`))
      const { status, body } = await api.operations([good("a"), bad, good("b"), bad, ...many], { stop_after: 2 })
      expect(status).toBe(207)
      const skipped = body.results.filter((result) => result.status === "skipped")
      expect(skipped.length).toBeGreaterThanOrEqual(50)
      expect(skipped.at(-1)).toEqual({
        index: 63,
        status: "skipped",
        error: { code: "SKIPPED", message: expect.any(String), retryable: true },
      })
      expect(body).toMatchObject({ status: "partial", failed: 2, skipped: skipped.length })
      expect(body.succeeded + body.failed + skipped.length).toBe(64)
      expect(await api.names()).toHaveLength(body.succeeded)
    }))

  it("counts operations that were refused before they ran, and runs all when fewer fail", () =>
    both(async (api) => {
      const invalid = { action: "create", data: {} }
      const early = await api.operations([invalid, ...Array.from({ length: 30 }, () => good("a"))], { stop_after: 1 })
      expect(early.body).toMatchObject({ status: "failed", succeeded: 0, failed: 1, skipped: 30 })
      expect(await api.names()).toEqual([])
      const enough = await api.operations([invalid, good("a"), bad, good("b")], { stop_after: 3 })
      expect(enough.body).toMatchObject({ status: "partial", succeeded: 2, failed: 2 })
      expect(enough.body).not.toHaveProperty("skipped")
      expect((await api.operations([good("c")], { stop_after: 1 })).status).toBe(200)
    }))
})

describe("the description of an endpoint", () => {
  it("lists its limits and strategies", () =>
    both(async (api) => {
      for (const path of [
        "users/bulk-create",
        "users/bulk-update",
        "users/bulk-delete",
        "users/batch",
        "batch",
        "$batch",
      ]) {
        const answer = await api.ask("GET", `/api/v1/${path}/describe`)
        expect(answer).toMatchObject({
          status: 200,
          body: {
            limits: {
              operations: 1000,
              body_bytes: 10_485_760,
              operation_bytes: 1_048_576,
              depth: 64,
              deadline_ms: 30_000,
            },
            strategy: "partial",
            concurrency: 10,
          },
        })
      }
      const { body } = await api.ask("GET", "/api/v1/users/batch/describe")
      expect((body as { strategies: ReadonlyArray<string> }).strategies).toEqual(
        expect.arrayContaining(["partial", "stop-after"]),
      )
    }))
})
