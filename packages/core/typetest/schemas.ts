/** The types of inputs and outputs follow from the schemas of every supported library. */
import { type ActionTypesOf, type Failure, failure, fromAjv, resource } from "@multistatus/core"
import { Ajv, type JSONSchemaType } from "ajv"
import { type } from "arktype"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type Static, Type } from "typebox"
import * as v from "valibot"
import * as z from "zod"
import { check, type Equal } from "./Equal.ts"

const ajv = new Ajv()
const Note = Type.Object({ text: Type.String() })
const label: JSONSchemaType<{ color: string }> = {
  type: "object",
  required: ["color"],
  properties: { color: { type: "string" } },
}

const things = resource("things", {
  zod: {
    input: z.object({ size: z.string().transform(Number) }),
    run: ({ size }, { id }) => {
      check<Equal<typeof size, number>>()
      check<Equal<typeof id, string>>()
      return { id, size }
    },
    runMany: (items) => items.map(({ id, input: { size } }) => ({ id, size })),
  },
  valibot: {
    input: v.object({ size: v.pipe(v.string(), v.transform(Number)) }),
    run: async ({ size }) => (size === 0 ? failure("EMPTY", "Empty") : { size }),
  },
  arktype: {
    input: type({ size: "string.numeric.parse" }),
    run: ({ size }) => Effect.succeed(size),
  },
  effect: {
    input: Schema.Struct({ size: Schema.NumberFromString }),
    output: Schema.Struct({ at: Schema.Date }),
    run: ({ size }) => ({ at: new Date(size) }),
  },
  standardEffect: {
    input: Schema.toStandardSchemaV1(Schema.Struct({ size: Schema.NumberFromString })),
    run: ({ size }) => size,
  },
  typebox: {
    input: fromAjv(ajv.compile<Static<typeof Note>>(Note)),
    run: ({ text }) => text,
  },
  jsonSchema: {
    input: fromAjv(ajv.compile(label)),
    run: ({ color }) => color,
  },
  none: {
    run: (input) => {
      check<Equal<typeof input, unknown>>()
    },
  },
  many: { runMany: async (items) => items.map(({ index }) => (index === 0 ? failure("FIRST", "First") : index)) },
})

type Things = ActionTypesOf<typeof things>
type SentSize = { size: string }

check<Equal<Things["zod"]["sent"], SentSize>>()
check<Equal<Things["zod"]["input"], { size: number }>>()
check<Equal<Things["zod"]["output"]["size"], number>>()
check<Equal<Things["valibot"]["sent"], SentSize>>()
check<Equal<Things["valibot"]["input"], { size: number }>>()
check<Equal<Things["valibot"]["output"], { size: number }>>()
check<Equal<Things["arktype"]["sent"], SentSize>>()
check<Equal<Things["arktype"]["output"], number>>()
check<Equal<Things["effect"]["sent"], { readonly size: string }>>()
check<Equal<Things["effect"]["input"], { readonly size: number }>>()
check<Equal<Things["effect"]["output"], { at: Date }>>()
check<Equal<Things["standardEffect"]["output"], number>>()
check<Equal<Things["typebox"]["sent"], { text: string }>>()
check<Equal<Things["jsonSchema"]["input"], { color: string }>>()
check<Equal<Things["none"]["sent"], unknown>>()
check<Equal<Things["many"]["output"], number>>()
check<Equal<Extract<Things[keyof Things]["output"], Failure>, never>>()

// @ts-expect-error A JSON Schema needs a validator.
resource("things", { create: { input: { type: "object" }, run: () => {} } })
// @ts-expect-error The misspelt member would be ignored.
resource("things", { create: { run: () => {}, identifed: false } })
// @ts-expect-error The input has no such member.
resource("things", { create: { input: z.object({ size: z.number() }), run: ({ length }) => length } })
