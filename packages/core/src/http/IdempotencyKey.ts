/** Idempotency keys: the client's name for an operation or a batch, by which a retry is recognised. */
import * as Result from "effect/Result"
import { BatchError } from "../batch/BatchError.ts"
import type { HttpRequest } from "./HttpMessage.ts"

const validKey = /^[\u0021-\u007e]{1,255}$/

const rule = "an idempotency key must have 1 to 255 visible ASCII characters"

/** Checks a key that was sent in a body; fails with an error message, which does not contain the key. */
export const fromValue = (value: unknown): Result.Result<string, string> =>
  typeof value === "string" && validKey.test(value)
    ? Result.succeed(value)
    : Result.fail(typeof value === "string" ? rule : `${rule} and be a string`)

/**
 * Reads the value of an `Idempotency-Key` header (draft-ietf-httpapi-idempotency-key-header): a quoted structured-field
 * string, or a bare key. Fails if there are several keys, even if Node has joined them with a comma.
 */
export const fromHeader = (header: string | ReadonlyArray<string>): Result.Result<string, string> => {
  const lines = typeof header === "string" ? [header] : header
  const text = lines[0]?.trim() ?? ""
  if (lines.length > 1) return Result.fail("there are several idempotency keys: send one")
  if (!text.startsWith('"')) {
    return text.includes(",")
      ? Result.fail("a bare idempotency key must not contain a comma: send one key, or put it in quotes")
      : fromValue(text)
  }
  const quoted = /^"((?:[^"\\]|\\["\\])*)"$/.exec(text)?.[1]
  return quoted === undefined
    ? Result.fail("an idempotency key that starts with a quote must be one quoted string")
    : fromValue(quoted.replaceAll(/\\(["\\])/g, "$1"))
}

/** Reads the key of a batch from the header `Idempotency-Key` of its request; undefined without one. */
export const fromRequest = ({
  headers,
}: Pick<HttpRequest, "headers">): Result.Result<string | undefined, BatchError> => {
  const header = headers["idempotency-key"]
  if (header === undefined) return Result.succeed(undefined)
  return Result.mapError(fromHeader(header), (detail) =>
    BatchError.invalid("INVALID_IDEMPOTENCY_KEY", `Invalid header Idempotency-Key: ${detail}`),
  )
}
