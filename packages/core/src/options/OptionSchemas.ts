/** What options are checked with that no schema of plain data can say. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

/** Any function. */
export const AnyFunction = Schema.declare(
  (input: unknown): input is (...input: Array<never>) => unknown => typeof input === "function",
  { expected: "a function" },
)

/** Any object that has these methods, whatever else it has. */
export const withMethods = (...names: ReadonlyArray<string>) =>
  Schema.declare(
    (input: unknown): input is object =>
      typeof input === "object" &&
      input !== null &&
      names.every((name) => typeof (input as Readonly<Record<string, unknown>>)[name] === "function"),
    { expected: `an object with the methods ${names.join(", ")}` },
  )

/** Makes a check of options that throws a `TypeError` which names what is wrong, and members that do not exist. */
export const checker = (kind: string, schema: Schema.Decoder<unknown>): ((options: unknown) => void) => {
  const decode = Schema.decodeUnknownResult(schema, { onExcessProperty: "error", errors: "all" })
  return (options) => {
    const decoded = decode(options)
    if (Result.isFailure(decoded)) throw new TypeError(`The ${kind} options are not valid: ${String(decoded.failure)}`)
  }
}
