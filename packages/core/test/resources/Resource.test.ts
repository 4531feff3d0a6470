import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { describe, expect, expectTypeOf, it } from "vitest"
import * as z from "zod"
import {
  type ActionContext,
  isIdentified,
  type ManyContext,
  type ManyItem,
  resource,
} from "../../src/resources/Resource.ts"

const NewUser = z.object({ name: z.string(), age: z.number().default(0) })
const UserPatch = Schema.toStandardSchemaV1(
  Schema.Struct({ name: Schema.optionalKey(Schema.String), born: Schema.NumberFromString }),
)

const anything = (actions: unknown) => resource("users", actions as never)

describe("resource", () => {
  it("gives actions their inputs as their schemas put them out", () => {
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

  it("takes actions under names that objects inherit", () => {
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
  ])("throws for %j and says why", (actions, why) => {
    expect(() => anything(actions)).toThrow(TypeError)
    expect(() => anything(actions)).toThrow(why)
  })

  it("throws without a name", () => {
    expect(() => resource("", { create: { run: () => {} } })).toThrow(TypeError)
    expect(() => resource(undefined as never, { create: { run: () => {} } })).toThrow(TypeError)
  })
})

describe("isIdentified", () => {
  it("is true of every action but create, unless it is said otherwise", () => {
    expect(["create", "update", "archive"].map((name) => isIdentified(name, {}))).toEqual([false, true, true])
    expect(isIdentified("create", { identified: true })).toBe(true)
    expect(isIdentified("archive", { identified: false })).toBe(false)
  })
})
