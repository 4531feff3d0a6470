import type { StandardSchemaV1 } from "@standard-schema/spec"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { describe, expect, it } from "vitest"
import * as z from "zod"
import * as ActionDispatcher from "../../src/resources/ActionDispatcher.ts"
import type { Action } from "../../src/resources/Action.ts"
import { resource } from "../../src/resources/Resource.ts"
import { failure, internalFailure } from "../../src/batch/Failure.ts"
import type { Operation } from "../../src/batch/Operation.ts"
import { OperationResult } from "../../src/batch/OperationResult.ts"
import type { BatchContext } from "../../src/batch/BatchContext.ts"
import type { OnDefect } from "../../src/batch/Dispatcher.ts"
import { endings, execute } from "../support/execute.ts"
import { operation } from "../support/operation.ts"

const batch: BatchContext = { tenant: "acme", headers: {}, request: { url: "/batch" } }

/** Runs operations through actions as the engine does; also returns the reported defects. */
const run = async (actions: Readonly<Record<string, Action<never>>>, members: ReadonlyArray<Partial<Operation>>) => {
  const operations = members.map((each, index) => operation<unknown>({ index, id: `u_${index}`, ...each }))
  const defects: Array<unknown> = []
  const onDefect: OnDefect = (defect) => {
    defects.push(defect)
    return OperationResult.error(internalFailure())
  }
  const dispatcher = ActionDispatcher.make(resource("users", actions as never), batch)
  await dispatcher.prepare!(operations, onDefect)
  await Effect.runPromise(execute(operations, dispatcher, { onDefect }))
  return {
    operations,
    endings: endings(operations),
    defects,
    failures: operations.map(({ result }) => result?.failure),
  }
}

const returnNothing = () => undefined

// A schema like those of asynchronous libraries.
const evenNumber: StandardSchemaV1<unknown, string> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: async (value) => {
      await undefined
      if (value === "throw") throw new Error("bug")
      return typeof value === "number" && value % 2 === 0
        ? { value: `even ${value}` }
        : { issues: [{ message: "Not even", path: [{ key: "list" }, 0] }] }
    },
  },
}

const schemas: Readonly<Record<string, StandardSchemaV1<unknown, unknown>>> = {
  zod: z.object({ name: z.string().trim().min(1), age: z.number().optional() }),
  "Effect Schema": Schema.toStandardSchemaV1(
    Schema.Struct({ name: Schema.Trim.check(Schema.isMinLength(1)), age: Schema.optionalKey(Schema.Number) }),
  ) as StandardSchemaV1<unknown, unknown>,
}

describe("an input", () => {
  it.each(Object.entries(schemas))("is validated and transformed by %s", async (_, input) => {
    const seen: Array<unknown> = []
    const { endings, failures } = await run(
      { create: { input: input as never, run: (user) => void seen.push(user) } },
      [{ input: { name: " Alice " } }, { input: { name: "" } }, { input: { name: 7, age: "x" } }, { input: undefined }],
    )
    expect(seen).toEqual([{ name: "Alice" }])
    expect(endings).toEqual(["success", ...Array.from({ length: 3 }, () => "error VALIDATION_ERROR")])
    expect(failures[1]).toMatchObject({ status: 422, field: "name" })
    expect(failures[1]).not.toHaveProperty("errors")
    expect(failures[2]!.field).toBe("name")
    expect(failures[3]!.message).not.toBe("")
  })

  it("with several errors lists all of them", async () => {
    const input = z.object({ name: z.string(), address: z.object({ city: z.string() }), tags: z.array(z.string()) })
    const { failures } = await run({ create: { input: input as never, run: returnNothing } }, [
      { input: { name: 1, address: { city: 2 }, tags: ["a", 3] } },
    ])
    expect(failures[0]!.errors!.map(({ field }) => field)).toEqual(["name", "address.city", "tags.1"])
  })

  it("may be validated asynchronously; a schema that throws fails only its operation", async () => {
    const seen: Array<unknown> = []
    const action: Action<string> = { input: evenNumber, run: (value) => void seen.push(value) }
    const { endings, failures, defects } = await run(
      { create: action as never },
      [2, 3, "throw", 4].map((input) => ({ input })),
    )
    expect(endings).toEqual(["success", "error VALIDATION_ERROR", "error INTERNAL", "success"])
    expect(seen).toEqual(["even 2", "even 4"])
    expect(failures[1]).toMatchObject({ message: "Not even", field: "list.0" })
    expect(defects).toEqual([new Error("bug")])
  })

  it("is passed on unchanged without a schema", async () => {
    const seen: Array<unknown> = []
    await run({ create: { run: (value) => void seen.push(value) } }, [{ input: { any: "thing" } }])
    expect(seen).toEqual([{ any: "thing" }])
  })
})

describe("an operation", () => {
  it.each(["archive", "", "valueOf", "toString", "__proto__", "constructor", "hasOwnProperty"])(
    "with the unknown action %j is refused on its own",
    async (action) => {
      const { endings, failures } = await run({ create: { run: returnNothing } }, [{ action }, { action: "create" }])
      expect(endings).toEqual(["error UNKNOWN_ACTION", "success"])
      expect(failures[0]).toMatchObject({ status: 400, field: "action" })
      expect(failures[0]!.message).toContain("create")
    },
  )

  it("may have any action that the resource defines", async () => {
    const { endings } = await run({ toString: { run: returnNothing }, archive: { run: returnNothing } }, [
      { action: "toString" },
      { action: "archive" },
    ])
    expect(endings).toEqual(["success", "success"])
  })

  it("without the required id is refused on its own", async () => {
    const actions = {
      create: { run: returnNothing },
      update: { run: returnNothing },
      reset: { identified: false, run: returnNothing },
    }
    const { endings, failures } = await run(actions, [
      { action: "update", id: undefined },
      { action: "update", id: "u_1" },
      { action: "create", id: undefined },
      { action: "reset", id: undefined },
    ])
    expect(endings).toEqual(["error VALIDATION_ERROR", "success", "success", "success"])
    expect(failures[0]).toMatchObject({ status: 422, field: "id" })
  })

  it("that has its result already is neither validated nor run", async () => {
    const refused = OperationResult.error(failure("PAYLOAD_TOO_LARGE", "m"))
    const { endings, operations } = await run({ create: { input: evenNumber as never, run: returnNothing } }, [
      { result: refused, input: "throw" },
    ])
    expect(operations[0]!.result).toBe(refused)
    expect(endings).toEqual(["error PAYLOAD_TOO_LARGE"])
  })

  it("gets its id, its index, its caller and the request", async () => {
    const seen: Array<unknown> = []
    const { endings } = await run(
      {
        update: {
          run: (_, { id, index, tenant, request, signal }) =>
            void seen.push({ id, index, tenant, request, aborted: signal.aborted }),
        },
      },
      [{ action: "update" }, { action: "update", id: "x" }],
    )
    expect(seen).toEqual([
      { id: "u_0", index: 0, tenant: "acme", request: { url: "/batch" }, aborted: false },
      { id: "x", index: 1, tenant: "acme", request: { url: "/batch" }, aborted: false },
    ])
    expect(endings).toEqual(["success", "success"])
  })
})

describe("an action", () => {
  const notFound = failure("NOT_FOUND", "User not found")

  const failing: Readonly<Record<string, () => unknown>> = {
    returns: () => notFound,
    "resolves with": async () => notFound,
    throws: () => {
      throw notFound
    },
    "rejects with": async () => {
      throw notFound
    },
    "returns an effect that succeeds with": () => Effect.succeed(notFound),
    "returns an effect that fails with": () => Effect.fail(notFound),
    "returns an effect that dies with": () => Effect.die(notFound),
  }

  it.each(Object.entries(failing))("that %s a failure fails its operation with it", async (_, runAction) => {
    const operations = [{ index: 0 }, { index: 1 }]
    // The engine recognises thrown failures in `onDefect`; without it, as here, they are reported as defects.
    const { failures, defects } = await run({ create: { run: runAction } }, operations)
    expect(failures.every((each) => each === notFound || each?.code === "INTERNAL")).toBe(true)
    expect(defects.every((defect) => defect === notFound)).toBe(true)
    expect(failures.filter((each) => each === notFound).length + defects.length).toBe(2)
  })

  it.each<[string, () => unknown]>([
    ["a value", () => ({ id: 1 })],
    ["a promise", async () => ({ id: 1 })],
    ["an effect", () => Effect.succeed({ id: 1 })],
  ])("may return %s", async (_, runAction) => {
    const { operations } = await run({ create: { run: runAction } }, [{}])
    expect(operations[0]!.result?.value).toEqual({ id: 1 })
  })

  it("with runMany is called once, with an item for each operation", async () => {
    const calls: Array<unknown> = []
    const { operations } = await run(
      {
        update: {
          runMany: (items, { tenant }) => {
            calls.push({ items, tenant })
            return items.map(({ id, index }) => (index === 1 ? notFound : { id }))
          },
        },
      },
      [
        { action: "update", input: "a", orderKey: "x" },
        { action: "update", input: "b", orderKey: "y" },
        { action: "update", input: "c" },
      ],
    )
    expect(calls).toEqual([
      {
        items: [
          { input: "a", id: "u_0", index: 0 },
          { input: "b", id: "u_1", index: 1 },
          { input: "c", id: "u_2", index: 2 },
        ],
        tenant: "acme",
      },
    ])
    expect(operations.map(({ result }) => result?.failure ?? result?.value)).toEqual([
      { id: "u_0" },
      notFound,
      { id: "u_2" },
    ])
  })

  it("with runMany alone is called with one item for one operation", async () => {
    const { operations } = await run({ create: { runMany: (items) => items.map(({ index }) => index) } }, [{}])
    expect(operations[0]!.result?.value).toBe(0)
  })

  it.each<[string, unknown]>([
    ["nothing", undefined],
    ["an object", {}],
    ["too few results", [1]],
    ["too many results", [1, 2, 3]],
  ])("with runMany that returns %s is a defect of each operation, and not called again", async (_, output) => {
    let calls = 0
    const { endings, defects } = await run({ create: { runMany: () => (calls++, output) } }, [{}, {}])
    expect(endings).toEqual(["error INTERNAL", "error INTERNAL"])
    expect(calls).toBe(1)
    expect(defects).toHaveLength(2)
  })

  it("with runMany that throws is called again until the faulty item is found", async () => {
    const stored: Array<unknown> = []
    const runMany = async (items: ReadonlyArray<{ readonly input: unknown }>) => {
      if (items.some(({ input }) => input === "bad")) throw failure("DUPLICATE", "Email already exists")
      stored.push(...items.map(({ input }) => input))
      return items
    }
    const inputs = ["a", "b", "bad", "d", "e"]
    const { endings } = await run(
      { create: { runMany } },
      inputs.map((input) => ({ input })),
    )
    expect(stored).toEqual(["a", "b", "d", "e"])
    expect(endings.map((ending) => ending === "success")).toEqual([true, true, false, true, true])
  })
})
