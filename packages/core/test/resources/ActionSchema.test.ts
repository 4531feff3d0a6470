import { Ajv } from "ajv"
import { type } from "arktype"
import * as Schema from "effect/Schema"
import { Type } from "typebox"
import * as v from "valibot"
import { describe, expect, it } from "vitest"
import * as z from "zod"
import { inputValidator, outputEncoder } from "../../src/resources/ActionSchema.ts"
import { fromAjv } from "../../src/resources/fromAjv.ts"
import { resource } from "../../src/resources/Resource.ts"
import { make, send } from "../support/endpoints.ts"

const ajv = new Ajv({ allErrors: true })

const effectSchema = Schema.Struct({ name: Schema.NonEmptyString, address: Schema.Struct({ city: Schema.String }) })

const standardJsonSchema = z.object({ name: z.string().min(1), address: z.object({ city: z.string() }) })["~standard"]

const schemas: Readonly<Record<string, unknown>> = {
  zod: z.object({ name: z.string().min(1), address: z.object({ city: z.string() }) }),
  valibot: v.object({ name: v.pipe(v.string(), v.minLength(1)), address: v.object({ city: v.string() }) }),
  arktype: type({ name: "string > 0", address: { city: "string" } }),
  "an Effect Schema": effectSchema,
  "an Effect Schema as a Standard Schema": Schema.toStandardSchemaV1(effectSchema),
  TypeBox: fromAjv(
    ajv.compile(Type.Object({ name: Type.String({ minLength: 1 }), address: Type.Object({ city: Type.String() }) })),
  ),
  "JSON Schema": fromAjv(
    ajv.compile({
      type: "object",
      required: ["name", "address"],
      properties: {
        name: { type: "string", minLength: 1 },
        address: { type: "object", required: ["city"], properties: { city: { type: "string" } } },
      },
    }),
  ),
  "a Standard JSON Schema": fromAjv(ajv.compile(standardJsonSchema.jsonSchema.input({ target: "draft-07" }))),
}

describe.each(Object.entries(schemas))("%s as input", (_, input) => {
  it("accepts a valid value and names the field at fault of another one", async () => {
    const seen: Array<unknown> = []
    const things = resource("things", { create: { input: input as never, run: (value) => void seen.push(value) } })
    const endpoint = make().bulk(things, "create")
    const valid = { name: "Alice", address: { city: "Bern" } }
    const { json } = await send(endpoint, {
      things: [valid, { name: "", address: { city: "Bern" } }, { name: "Bob", address: { city: 7 } }, "text", {}],
    })
    expect(seen).toEqual([valid])
    const errors = json.results.map((result: { readonly error?: { readonly code: string } }) => result.error)
    expect(errors.slice(1)).toMatchObject(Array.from({ length: 4 }, () => ({ code: "VALIDATION_ERROR" })))
    expect(errors[1].field).toBe("name")
    expect(errors[2].field).toBe("address.city")
  })
})

describe("inputValidator", () => {
  it("keeps the Standard Schema that an application made of an Effect Schema", () => {
    const own = Schema.toStandardSchemaV1(effectSchema)
    expect(inputValidator(own)).toBe(own)
  })

  it.each([undefined, null, {}, { type: "object" }, () => true, { "~standard": { jsonSchema: {} } }])(
    "does not accept %j",
    (value) => {
      expect(inputValidator(value)).toBeUndefined()
      expect(outputEncoder(value)).toBeUndefined()
    },
  )

  it("of a JSON Schema is refused with a message that names fromAjv", () => {
    const jsonSchema = { type: "object" } as never
    expect(() => resource("things", { create: { input: jsonSchema, run: () => {} } })).toThrow("use fromAjv(")
  })
})

describe("fromAjv", () => {
  it("changes a copy of the input, not what the client sent", () => {
    const defaults = new Ajv({ useDefaults: true })
    const schema = fromAjv(defaults.compile({ type: "object", properties: { size: { default: 1 } } }))
    const sent = { name: "a" }
    expect(schema["~standard"].validate(sent)).toEqual({ value: { name: "a", size: 1 } })
    expect(sent).toEqual({ name: "a" })
  })

  it("names missing and unknown members, and unescapes their names", () => {
    const validate = ajv.compile({
      type: "object",
      required: ["id"],
      additionalProperties: false,
      properties: { id: {}, "a/b~c": { type: "string" } },
    })
    expect(fromAjv(validate)["~standard"].validate({ extra: 1, "a/b~c": 1 })).toMatchObject({
      issues: [{ path: ["id"] }, { path: ["extra"] }, { path: ["a/b~c"] }],
    })
  })

  it("refuses a schema that was not compiled, and one that is asynchronous", () => {
    expect(() => fromAjv({ type: "object" } as never)).toThrow("ajv.compile(schema)")
    expect(() => fromAjv(ajv.compile({ $async: true, type: "object" }) as never)).toThrow("$async")
  })
})
