/** Schemas from JSON Schema and TypeBox, by way of Ajv. */
import type { StandardSchemaV1 } from "@standard-schema/spec"

/** A validation function, as `ajv.compile(schema)` returns it. */
export interface AjvValidate<Value> {
  (data: unknown): data is Value
  /** The errors of the last call. `instancePath` is the JSON Pointer (RFC 6901) of the value at fault. */
  readonly errors?: ReadonlyArray<{
    readonly instancePath: string
    readonly keyword: string
    readonly params: Readonly<Record<string, unknown>>
    readonly message?: string | undefined
  }> | null
}

type AjvError = NonNullable<AjvValidate<unknown>["errors"]>[number]

/**
 * Makes a schema of a validation function of Ajv, for the `input` or `output` of an action.
 *
 * **Details** The options of Ajv apply: `allErrors` reports every field at fault, and `useDefaults`, `coerceTypes` and
 * `removeAdditional` change the validated value. They change a copy, never the value that the client sent.
 *
 * **Example** (TypeBox)
 * ```ts
 * const ajv = new Ajv({ allErrors: true })
 * const NewUser = Type.Object({ name: Type.String() })
 * const users = resource("users", {
 *   create: { input: fromAjv(ajv.compile<Static<typeof NewUser>>(NewUser)), run: ({ name }) => insert(name) }
 * })
 * ```
 */
export const fromAjv = <Value>(validate: AjvValidate<Value>): StandardSchemaV1<Value, Value> => {
  if (typeof validate !== "function") {
    throw new TypeError("fromAjv() needs a validation function. Pass ajv.compile(schema)")
  }
  if ("$async" in validate) {
    throw new TypeError("fromAjv() takes no asynchronous schemas. Remove $async from the schema")
  }
  return {
    "~standard": {
      version: 1,
      vendor: "ajv",
      validate: (given) => {
        const value: unknown = structuredClone(given)
        return validate(value) ? { value } : { issues: (validate.errors ?? []).map(toIssue) }
      },
    },
  }
}

const toIssue = ({ instancePath, keyword, params, message = `does not match "${keyword}"` }: AjvError) => ({
  message,
  path: [...pathOf(instancePath), ...memberOf(params)],
})

const pathOf = (pointer: string): ReadonlyArray<string> =>
  pointer
    .split("/")
    .slice(1)
    .map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"))

// Ajv reports a missing or unknown member at the object that should have it, or should not.
const memberOf = ({ missingProperty, additionalProperty }: AjvError["params"]): ReadonlyArray<string> =>
  [missingProperty, additionalProperty].filter((name) => typeof name === "string")
