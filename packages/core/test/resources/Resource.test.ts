import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { describe, expect, expectTypeOf, it } from "vitest"
import * as z from "zod"
import { type ActionContext, isIdentified, type ManyContext, type ManyItem } from "../../src/resources/Action.ts"
import { resource } from "../../src/resources/Resource.ts"

const NewUser = z.object({ name: z.string(), age: z.number().default(0) })
const UserPatch = Schema.toStandardSchemaV1(
  Schema.Struct({ name: Schema.optionalKey(Schema.String), born: Schema.NumberFromString }),
)

const resourceOf = (actions: unknown) => resource("users", actions as never)

describe("resource", () => {
  it("types the inputs of actions by the output of their schemas", () => {
    const users = resource("users", {
      create: {
        input: NewUser,
        run: (user, context) => {
          expectTypeOf(user).toEqualTypeOf<{ name: string; age: number }>()
          expectTypeOf(context).toEqualTypeOf<ActionContext>()
        },
        runMany: (items, context) => {
          expectTypeOf(items).toEqualTypeOf<ReadonlyArray<ManyItem<{ name: string; age: number }>>>()
          expectTypeOf(context).toEqualTypeOf<ManyContext>()
          expectTypeOf(context).not.toHaveProperty("id")
          return items
        },
      },
      update: {
        input: UserPatch,
        run: (patch, { id, signal }) => {
          expectTypeOf(patch).toEqualTypeOf<{ readonly name?: string; readonly born: number }>()
          expectTypeOf(id).toEqualTypeOf<string>()
          expectTypeOf(signal).toEqualTypeOf<AbortSignal>()
          return Effect.succeed(patch)
        },
      },
      delete: {
        run: (input) => {
          expectTypeOf(input).toBeUnknown()
        },
      },
    })
    expect(users.name).toBe("users")
    expect([...users.actions.keys()]).toEqual(["create", "update", "delete"])
  })

  it("accepts actions named like members of Object.prototype", () => {
    const { actions } = resource("users", { toString: { run: () => {} }, constructor: { run: () => {} } })
    expect([...actions.keys()]).toEqual(["toString", "constructor"])
    expect(actions.get("valueOf")).toBeUndefined()
  })

  it.each<[unknown, string]>([
    [{}, "has no actions"],
    [undefined, "has no actions"],
    [{ create: undefined }, `"create"`],
    [{ create: () => {} }, `"create"`],
    [{ create: {} }, `"create"`],
    [{ create: { run: "insert" } }, `"create"`],
    [{ create: { input: {}, run: () => {} } }, "Standard Schema"],
    [{ create: { input: { "~standard": {} }, run: () => {} } }, "Standard Schema"],
    [{ create: { output: {}, run: () => {} } }, '"output"'],
  ])("rejects %j with a message that names the error", (actions, message) => {
    expect(() => resourceOf(actions)).toThrow(TypeError)
    expect(() => resourceOf(actions)).toThrow(message)
  })

  it("rejects a resource without a name", () => {
    expect(() => resource("", { create: { run: () => {} } })).toThrow(TypeError)
    expect(() => resource(undefined as never, { create: { run: () => {} } })).toThrow(TypeError)
  })
})

describe("isIdentified", () => {
  it("is true by default for every action but create", () => {
    expect(["create", "update", "archive"].map((name) => isIdentified(name, {}))).toEqual([false, true, true])
    expect(isIdentified("create", { identified: true })).toBe(true)
    expect(isIdentified("archive", { identified: false })).toBe(false)
  })
})
