import type { StandardSchemaV1 } from "@standard-schema/spec"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { describe, expect, it } from "vitest"
import * as z from "zod"
import * as ActionDispatcher from "../../src/resources/ActionDispatcher.ts"
import { type Action, resource } from "../../src/resources/Resource.ts"
import { failure, internalFailure } from "../../src/batch/Failure.ts"
import type { Operation } from "../../src/batch/Operation.ts"
import { OperationResult } from "../../src/batch/OperationResult.ts"
import type { BatchContext } from "../../src/batch/BatchContext.ts"
import type { OnDefect } from "../../src/batch/Dispatcher.ts"
import { endings, execute } from "../support/execute.ts"
import { operation } from "../support/operation.ts"

const batch: BatchContext = { tenant: "acme", headers: {}, request: { url: "/batch" } }

/** Runs operations through actions as the engine does; tells what was reported as a defect. */
const run = async (actions: Readonly<Record<string, Action<never>>>, given: ReadonlyArray<Partial<Operation>>) => {
  const operations = given.map((each, index) => operation<unknown>({ index, id: `u_${index}`, ...each }))
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

const nothing = () => undefined

// What an asynchronous library would make.
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

  it("with several faults lists all of them", async () => {
    const input = z.object({ name: z.string(), address: z.object({ city: z.string() }), tags: z.array(z.string()) })
    const { failures } = await run({ create: { input: input as never, run: nothing } }, [
      { input: { name: 1, address: { city: 2 }, tags: ["a", 3] } },
    ])
    expect(failures[0]!.errors!.map(({ field }) => field)).toEqual(["name", "address.city", "tags.1"])
  })

  it("may be validated asynchronously, and a schema that dies takes its operation with it alone", async () => {
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

  it("is taken as it is where there is no schema", async () => {
    const seen: Array<unknown> = []
    await run({ create: { run: (value) => void seen.push(value) } }, [{ input: { any: "thing" } }])
    expect(seen).toEqual([{ any: "thing" }])
  })
})

describe("an operation", () => {
  it.each(["archive", "", "valueOf", "toString", "__proto__", "constructor", "hasOwnProperty"])(
    "with the unknown action %j fails alone",
    async (action) => {
      const { endings, failures } = await run({ create: { run: nothing } }, [{ action }, { action: "create" }])
      expect(endings).toEqual(["error UNKNOWN_ACTION", "success"])
      expect(failures[0]).toMatchObject({ status: 400, field: "action" })
      expect(failures[0]!.message).toContain("create")
    },
  )

  it("may have any other name that the resource defines", async () => {
    const { endings } = await run({ toString: { run: nothing }, archive: { run: nothing } }, [
      { action: "toString" },
      { action: "archive" },
    ])
    expect(endings).toEqual(["success", "success"])
  })

  it("without the id that its action needs fails alone", async () => {
    const actions = { create: { run: nothing }, update: { run: nothing }, reset: { identified: false, run: nothing } }
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
    const { endings, operations } = await run({ create: { input: evenNumber as never, run: nothing } }, [
      { result: refused, input: "throw" },
    ])
    expect(operations[0]!.result).toBe(refused)
    expect(endings).toEqual(["error PAYLOAD_TOO_LARGE"])
  })

  it("is told its id, its place, its caller and the request", async () => {
    const seen: Array<unknown> = []
    const { endings } = await run(
      {
        update: {
          run: (_, { id, index, tenant, request, signal }) =>
            void seen.push([id, index, tenant, request, signal.aborted]),
        },
      },
      [{ action: "update" }, { action: "update", id: "x" }],
    )
    expect(seen).toEqual([
      ["u_0", 0, "acme", { url: "/batch" }, false],
      ["x", 1, "acme", { url: "/batch" }, false],
    ])
    expect(endings).toEqual(["success", "success"])
  })
})

describe("an action", () => {
  const notFound = failure("NOT_FOUND", "User not found")

  const ways: Readonly<Record<string, () => unknown>> = {
    returns: () => notFound,
    "resolves with": async () => notFound,
    throws: () => {
      throw notFound
    },
    "rejects with": async () => {
      throw notFound
    },
    "succeeds as an effect with": () => Effect.succeed(notFound),
    "fails as an effect with": () => Effect.fail(notFound),
    "dies as an effect with": () => Effect.die(notFound),
  }

  it.each(Object.entries(ways))("that %s a failure makes its operation fail with it", async (_, run_) => {
    const operations = [{ index: 0 }, { index: 1 }]
    // The engine, which knows thrown failures for what they are, stands between; here they come as defects.
    const { failures, defects } = await run({ create: { run: run_ } }, operations)
    expect(failures.every((each) => each === notFound || each?.code === "INTERNAL")).toBe(true)
    expect(defects.every((defect) => defect === notFound)).toBe(true)
    expect(failures.filter((each) => each === notFound).length + defects.length).toBe(2)
  })

  it.each<[string, () => unknown]>([
    ["a value", () => ({ id: 1 })],
    ["a promise", async () => ({ id: 1 })],
    ["an effect", () => Effect.succeed({ id: 1 })],
  ])("may answer %s", async (_, answer) => {
    const { operations } = await run({ create: { run: answer } }, [{}])
    expect(operations[0]!.result?.value).toEqual({ id: 1 })
  })

  it("that runs many is called once, with what belongs to each in one record", async () => {
    const calls: Array<unknown> = []
    const { operations } = await run(
      {
        update: {
          runMany: (items, { tenant }) => {
            calls.push(items, tenant)
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
      [
        { input: "a", id: "u_0", index: 0 },
        { input: "b", id: "u_1", index: 1 },
        { input: "c", id: "u_2", index: 2 },
      ],
      "acme",
    ])
    expect(operations.map(({ result }) => result?.failure ?? result?.value)).toEqual([
      { id: "u_0" },
      notFound,
      { id: "u_2" },
    ])
  })

  it("that can only run many is called with one where there is one", async () => {
    const { operations } = await run({ create: { runMany: (items) => items.map(({ index }) => index) } }, [{}])
    expect(operations[0]!.result?.value).toBe(0)
  })

  it.each<[string, unknown]>([
    ["nothing", undefined],
    ["an object", {}],
    ["too few", [1]],
    ["too many", [1, 2, 3]],
  ])("that runs many and answers %s is a defect of each, and not called again", async (_, answer) => {
    let calls = 0
    const { endings, defects } = await run({ create: { runMany: () => (calls++, answer) } }, [{}, {}])
    expect(endings).toEqual(["error INTERNAL", "error INTERNAL"])
    expect([calls, defects.length]).toEqual([1, 2])
  })

  it("that runs many and throws is called again until the offender is found", async () => {
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
