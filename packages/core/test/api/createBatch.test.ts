import { AsyncLocalStorage } from "node:async_hooks"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { describe, expect, it, vi } from "vitest"
import type { Action } from "../../src/resources/Action.ts"
import { resource } from "../../src/resources/Resource.ts"
import { failure } from "../../src/batch/Failure.ts"
import type { BatchOptions } from "../../src/api/BatchOptions.ts"
import { createBatch } from "../../src/api/createBatch.ts"
import type { UnexpectedOrigin } from "../../src/engine/ErrorHandling.ts"
import { alone, make, send, things, users } from "../support/endpoints.ts"
import { FakeDatabase } from "../support/FakeDatabase.ts"
import { jsonRequest } from "../support/request.ts"

describe("an endpoint", () => {
  it("answers a bulk creation", async () => {
    const list = [
      { name: "Alice", email: "alice@example.com" },
      { name: "Bob", email: "bob@example.com" },
      { name: "Carol", email: "carol@example.com" },
    ]
    const { status, headers, json } = await send(make().bulk(users, "create"), { users: list })
    expect(status).toBe(201)
    expect(headers).toEqual({ "content-type": "application/json; charset=utf-8" })
    expect(json).toEqual({
      created: 3,
      users: [
        { id: "u_001", name: "Alice", email: "alice@example.com" },
        { id: "u_002", name: "Bob", email: "bob@example.com" },
        { id: "u_003", name: "Carol", email: "carol@example.com" },
      ],
    })
  })

  it("answers a bulk update and a bulk deletion", async () => {
    const { bulk } = make()
    const updated = await send(bulk(users, "update"), { users: [{ id: "u_1", name: "A" }] })
    expect([updated.status, updated.json]).toEqual([200, { updated: 1, users: [{ id: "u_1" }] }])
    const deleted = await send(bulk(users, "delete"), { users: ["u_1", { id: "u_2" }] })
    expect([deleted.status, deleted.json]).toEqual([200, { deleted: 2, users: [{ id: "u_1" }, { id: "u_2" }] }])
  })

  it("answers mixed operations", async () => {
    const operations = [
      { action: "create", data: { name: "Alice" } },
      { action: "update", id: "u_042", data: { name: "Alice Smith" } },
      { action: "delete", id: "u_099" },
    ]
    const { status, json } = await send(make().operations(users), { operations })
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
})

describe("an unexpected error", () => {
  const boom = () => {
    throw new Error("password=hunter2")
  }

  it("is reported with its origin, and answered without its message", async () => {
    const heard: Array<readonly [unknown, UnexpectedOrigin]> = []
    const onUnexpected = (error: unknown, origin: UnexpectedOrigin) => void heard.push([error, origin])
    const run = (data: unknown) => (data === "bad" ? boom() : { id: data })
    const { status, json, body } = await send(alone(run, { onUnexpected }), things("a", "bad", "c"))
    expect(status).toBe(207)
    expect(json.results.map((result: { readonly status: string }) => result.status)).toEqual([
      "success",
      "error",
      "success",
    ])
    expect(json.results[1].error).toEqual({ code: "INTERNAL", message: "The operation failed unexpectedly" })
    expect(body).not.toContain("hunter2")
    expect(heard).toEqual([
      [new Error("password=hunter2"), { endpoint: "things", operation: { index: 1, action: "do", id: undefined } }],
    ])
  })

  it("is logged to standard error by default, and not to standard output", async () => {
    const out = vi.spyOn(console, "log").mockImplementation(() => {})
    const error = vi.spyOn(console, "error").mockImplementation(() => {})
    try {
      await send(alone(boom), things("a"))
      await vi.waitFor(() => expect(JSON.stringify(error.mock.calls)).toContain("hunter2"))
      expect(out).not.toHaveBeenCalled()
    } finally {
      vi.restoreAllMocks()
    }
  })

  it("becomes the failure that mapError returns", async () => {
    const mapError = (error: unknown) =>
      (error as { readonly message: string }).message.startsWith("taken")
        ? failure("DUPLICATE", "Email already exists")
        : undefined
    const onUnexpected = vi.fn<() => void>()
    const run = (data: unknown) => Promise.reject(new Error(String(data)))
    const { json } = await send(alone(run, { mapError, onUnexpected }), things("taken", "else"))
    expect(json.results.map((result: { readonly error: { readonly code: string } }) => result.error.code)).toEqual([
      "DUPLICATE",
      "INTERNAL",
    ])
    expect(onUnexpected).toHaveBeenCalledTimes(1)
  })

  it("is not a failure that was returned, thrown, rejected or put into an effect", async () => {
    const taken = failure("DUPLICATE", "Email already exists")
    const onUnexpected = vi.fn<() => void>()
    const ways: ReadonlyArray<() => unknown> = [
      () => taken,
      () => {
        throw taken
      },
      async () => {
        throw taken
      },
      () => Effect.fail(taken),
      () => Effect.die(taken),
    ]
    const { json } = await send(
      alone((data) => ways[data as number]!(), { onUnexpected }),
      things(0, 1, 2, 3, 4),
    )
    for (const { error } of json.results) expect(error).toEqual({ code: "DUPLICATE", message: "Email already exists" })
    expect(onUnexpected).not.toHaveBeenCalled()
  })

  it("in mapError or onUnexpected itself is ignored", async () => {
    const options = { mapError: boom, onUnexpected: boom }
    const { status, json } = await send(alone(boom, options), things("a", "b"))
    expect([status, json.failed]).toEqual([207, 2])
  })

  it.each<[string, BatchOptions]>([
    ["the tenant function", { tenant: boom }],
    ["a policy", { policies: [{ name: "bad", admit: () => Effect.sync(boom) }] }],
    ["the planner", { planner: boom }],
  ])("in %s answers the batch with 500 and runs nothing", async (_, options) => {
    const run = vi.fn<() => void>()
    const onUnexpected = vi.fn<(error: unknown, origin: UnexpectedOrigin) => void>()
    const { status, headers, json, body } = await send(alone(run, { ...options, onUnexpected }), things("a"))
    expect(status).toBe(500)
    expect(headers["content-type"]).toBe("application/problem+json")
    expect(json).toMatchObject({ code: "INTERNAL", status: 500 })
    expect(body).not.toContain("hunter2")
    expect(run).not.toHaveBeenCalled()
    expect(onUnexpected.mock.calls[0]![1]).toEqual({ endpoint: "things", operation: undefined })
  })

  it("in onUnexpected does not change the answer to a batch that failed unexpectedly", async () => {
    const { status, json, body } = await send(alone(boom, { tenant: boom, onUnexpected: boom }), things("a"))
    expect([status, json.code]).toEqual([500, "INTERNAL"])
    expect(body).not.toContain("hunter2")
  })

  it("in making a failure fails that operation, in an atomic batch too", async () => {
    const run = () => failure("TEAPOT", "short", { status: 99_999 })
    const unitOfWork = new FakeDatabase()
    const endpoint = alone(run, { unitOfWork, strategy: "atomic", onUnexpected: () => {} })
    const { status, json } = await send(endpoint, things("a"))
    expect([status, json.code]).toEqual([500, "INTERNAL"])
  })
})

describe("an endpoint that is closed", () => {
  it("still answers new batches, and those that were running", async () => {
    const batch = make({ onUnexpected: () => {} })
    const waiting = batch.operations(
      resource("things", { do: { identified: false, run: () => new Promise(() => {}) } }),
    )
    const running = send(waiting, things("a"))
    await new Promise((resolve) => setTimeout(resolve, 10))
    await batch.close()
    expect((await running).status).toBe(500)
    expect((await send(waiting, things("a"))).status).toBe(500)
  })
})

describe("operations of one batch", () => {
  it("keep their action, tenant and result, whatever happens to other operations and batches", async () => {
    const kinds = ["good", "failure", "throw", "reject", "die", "unknown", "invalid"] as const
    const action = (name: string): Action<unknown> => ({
      run: (data, { id, index, tenant }) => {
        const { kind, value } = data as { readonly kind: (typeof kinds)[number]; readonly value: string }
        if (kind === "failure") return failure("CONFLICT", value)
        if (kind === "reject") return Promise.reject(new Error(value))
        if (kind === "die") return Effect.die(new Error(value))
        if (kind === "throw") throw new Error(value)
        return Promise.resolve({ id, action: name, seen: [index, tenant, value] })
      },
    })
    const endpoint = make({
      tenant: ({ caller }: { readonly caller: string }) => caller,
      onUnexpected: () => {},
    }).operations(resource("users", { update: action("update"), replace: action("replace") }), { data: true })
    const operation = fc.record({
      action: fc.constantFrom("update", "replace"),
      id: fc.constantFrom("u_1", "u_2", "u_3"),
      data: fc.record({ kind: fc.constantFrom("good", ...kinds), value: fc.string() }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 15 }), async (drawn) => {
        const operations = drawn.map(({ action, id, data }) => ({
          action: data.kind === "unknown" ? "valueOf" : action,
          ...(data.kind !== "invalid" && { id }),
          data,
        }))
        const answers = await Promise.all(
          ["a", "b"].map((caller) => send(endpoint, { operations }, { raw: { caller } })),
        )
        answers.forEach(({ json }, which) => {
          drawn.forEach(({ action, id, data: { kind, value } }, index) => {
            const codes = { failure: "CONFLICT", unknown: "UNKNOWN_ACTION", invalid: "VALIDATION_ERROR" } as const
            const code = codes[kind as keyof typeof codes] ?? "INTERNAL"
            const caller = ["a", "b"][which]
            const good = { index, status: "success", id, data: { id, action, seen: [index, caller, value] } }
            expect(json.results[index]).toMatchObject(
              kind === "good" ? good : { index, status: "error", error: { code } },
            )
          })
        })
      }),
      { numRuns: 50 },
    )
  })

  it("run in the asynchronous context of their request", async () => {
    const storage = new AsyncLocalStorage<string>()
    const batch = make({}, { captureContext: () => AsyncLocalStorage.snapshot() })
    const action = { identified: false, run: async () => ({ id: storage.getStore() }) }
    const endpoint = batch.operations(resource("things", { do: action }))
    const ids = async (name: string) =>
      (await storage.run(name, () => send(endpoint, things(1, 2)))).json.results.map(
        ({ id }: { readonly id: string }) => id,
      )
    expect(await Promise.all([ids("a"), ids("b")])).toEqual([
      ["a", "a"],
      ["b", "b"],
    ])
  })
})

describe("close", () => {
  it("aborts running operations", async () => {
    const batch = createBatch()
    const begun = Promise.withResolvers<AbortSignal>()
    const run = (_: unknown, { signal }: { readonly signal: AbortSignal }) => {
      begun.resolve(signal)
      return new Promise(() => {})
    }
    const endpoint = batch.operations(resource("things", { do: { identified: false, run } }))
    const answer = endpoint.handle(jsonRequest(things(1))).then(
      () => "answered",
      () => "rejected",
    )
    const signal = await begun.promise
    await batch.close()
    expect(signal.aborted).toBe(true)
    expect(["answered", "rejected"]).toContain(await answer)
  })
})
