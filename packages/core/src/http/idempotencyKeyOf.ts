import * as Result from "effect/Result"
import { BatchError } from "../batch/BatchError.ts"
import * as IdempotencyKey from "./IdempotencyKey.ts"
import type { HttpRequest } from "./HttpMessage.ts"

/** The client's name for its batch, as the header `Idempotency-Key` says; undefined without one. */
export const idempotencyKeyOf = ({
  headers,
}: Pick<HttpRequest, "headers">): Result.Result<string | undefined, BatchError> => {
  const header = headers["idempotency-key"]
  if (header === undefined) return Result.succeed(undefined)
  return Result.mapError(IdempotencyKey.fromHeader(header), (detail) =>
    BatchError.invalid("INVALID_IDEMPOTENCY_KEY", `In the header Idempotency-Key ${detail}`),
  )
}
