/** The client's name for an operation or a batch, under which a retry finds what the first try did. */
import * as Result from "effect/Result"

const form = /^[\u0021-\u007e]{1,255}$/

const rule = "an idempotency key has 1 to 255 visible ASCII characters"

/** Checks a key in a body; fails with what is wrong with it. */
export const fromValue = (value: unknown): Result.Result<string, string> =>
  typeof value === "string" && form.test(value)
    ? Result.succeed(value)
    : Result.fail(typeof value === "string" ? rule : `${rule}: it must be a string`)

/**
 * Reads the header `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a structured-field string in quotes,
 * or bare. Two of them are refused, also where Node has joined them with a comma.
 */
export const fromHeader = (header: string | ReadonlyArray<string>): Result.Result<string, string> => {
  const lines = typeof header === "string" ? [header] : header
  const text = lines[0]?.trim() ?? ""
  if (lines.length > 1) return Result.fail("there are several idempotency keys: send one")
  if (!text.startsWith('"')) {
    return text.includes(",")
      ? Result.fail("a bare idempotency key has no comma: send one key, or put it in quotes")
      : fromValue(text)
  }
  const quoted = /^"((?:[^"\\]|\\["\\])*)"$/.exec(text)?.[1]
  return quoted === undefined
    ? Result.fail("the idempotency key begins with a quote, but is no string in quotes: send one key")
    : fromValue(quoted.replaceAll(/\\(["\\])/g, "$1"))
}
