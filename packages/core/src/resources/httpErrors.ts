/** Failures from errors that have an HTTP status. */
import { type Failure, failure } from "../batch/Failure.ts"

const codes: ReadonlyMap<number, string> = new Map([
  [400, "INVALID_REQUEST"],
  [401, "UNAUTHORIZED"],
  [402, "PAYMENT_REQUIRED"],
  [403, "FORBIDDEN"],
  [404, "NOT_FOUND"],
  [409, "CONFLICT"],
  [410, "GONE"],
  [412, "PRECONDITION_FAILED"],
  [413, "PAYLOAD_TOO_LARGE"],
  [415, "UNSUPPORTED_MEDIA_TYPE"],
  [422, "VALIDATION_ERROR"],
  [423, "LOCKED"],
  [428, "PRECONDITION_REQUIRED"],
  [429, "RATE_LIMITED"],
])

/**
 * Makes a function for the option `mapError`. It turns errors with an HTTP status, such as those of `http-errors`, into
 * failures.
 *
 * **Details** The status is the number in `status` or `statusCode`. Errors with a status from 400 to 499 become failures
 * with that status and the message of the error, unless `expose` is false. Errors with a status from 500 to 599 stay
 * unexpected, unless `expose` is true. Errors with a `request` or a `response` come from an HTTP client, whose status is the
 * one of another service; they stay unexpected, too.
 *
 * **Example** (Together with errors of the application)
 * ```ts
 * const fromHttp = httpErrors()
 * const mapError = (error: unknown) =>
 *   error instanceof OutOfStock ? failure("OUT_OF_STOCK", error.message) : fromHttp(error)
 * ```
 */
export const httpErrors = (): ((error: unknown) => Failure | undefined) => (error) => {
  if (typeof error !== "object" || error === null) return undefined
  const { status, statusCode, message, expose, request, response, retryAfter, headers } = error as HttpError
  const code = httpStatus(status) ?? httpStatus(statusCode)
  if (code === undefined || request !== undefined || response !== undefined) return undefined
  if (expose === false || (expose !== true && code >= 500)) return undefined
  return failure(codes.get(code) ?? `HTTP_${code}`, typeof message === "string" ? message : "The operation failed", {
    status: code,
    retryable: retryStatuses.has(code) ? true : undefined,
    retryAfter: seconds(retryAfter) ?? seconds(headers?.["retry-after"]) ?? seconds(headers?.["Retry-After"]),
  })
}

interface HttpError {
  readonly status?: unknown
  readonly statusCode?: unknown
  readonly message?: unknown
  readonly expose?: unknown
  readonly request?: unknown
  readonly response?: unknown
  readonly retryAfter?: unknown
  readonly headers?: Readonly<Record<string, unknown>> | null
}

// With these statuses a server asks the client to repeat the request (RFC 9110, section 15; RFC 6585; RFC 8470).
const retryStatuses: ReadonlySet<number> = new Set([408, 425, 429, 503])

const httpStatus = (status: unknown): number | undefined =>
  typeof status === "number" && Number.isInteger(status) && status >= 400 && status <= 599 ? status : undefined

const seconds = (value: unknown): number | undefined => {
  const number = typeof value === "string" && /^\d+$/.test(value) ? Number(value) : value
  return typeof number === "number" && Number.isSafeInteger(number) && number >= 0 ? number : undefined
}
