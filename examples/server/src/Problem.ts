/**
 * The body of an error response: `application/problem+json` (RFC 9457), the same on both frameworks.
 */
import { STATUS_CODES } from "node:http"

import { type FieldFailure, isUserFailure } from "./UserFailure.ts"

/** The body of an error response. */
export interface Problem {
  readonly type: "about:blank"
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: string
  /** The same text as `detail`, under the name that batch results use. */
  readonly message: string
  readonly field?: string
  readonly errors?: ReadonlyArray<FieldFailure>
}

/** Media type of a `Problem`. */
export const problemType = "application/problem+json"

const statuses = {
  VALIDATION_ERROR: 422,
  NOT_FOUND: 404,
  DUPLICATE: 409,
  UNAUTHORIZED: 401,
  MALFORMED_JSON: 400,
  INVALID_REQUEST: 400,
  PAYLOAD_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  INTERNAL: 500,
}

/** An error of the host itself, thrown before or instead of a route. */
export class HostRefusal extends Error {
  override readonly name = "HostRefusal"
  readonly code: keyof typeof statuses

  constructor(code: keyof typeof statuses, message: string) {
    super(message)
    this.code = code
  }
}

/**
 * Makes the problem that describes a thrown value.
 *
 * Client errors of the frameworks (status 400 to 499) get the same code and message on both. Every other error is logged and
 * answered as `INTERNAL`, without any of its text.
 */
export const problemOf = (error: unknown): Problem => {
  if (error instanceof HostRefusal) return problem(error.code, error.message)
  if (isUserFailure(error)) {
    const { code, message, ...fields } = error
    return { ...problem(code, message), ...fields }
  }
  switch (statusOf(error)) {
    case undefined:
      console.error(error)
      return problem("INTERNAL", "The request failed unexpectedly")
    case 413:
      return problem("PAYLOAD_TOO_LARGE", "The body is larger than this server accepts")
    case 415:
      return problem("UNSUPPORTED_MEDIA_TYPE", "The body must be application/json in UTF-8")
    default:
      return isSyntaxError(error)
        ? problem("MALFORMED_JSON", "The body is not valid JSON")
        : problem("INVALID_REQUEST", "The request is malformed")
  }
}

const problem = (code: keyof typeof statuses, message: string): Problem => ({
  type: "about:blank",
  title: STATUS_CODES[statuses[code]] ?? code,
  status: statuses[code],
  detail: message,
  code,
  message,
})

const statusOf = (error: unknown): number | undefined => {
  if (!(error instanceof Error)) return undefined
  const status = "statusCode" in error ? error.statusCode : "status" in error ? error.status : undefined
  return typeof status === "number" && status >= 400 && status < 500 ? status : undefined
}

const isSyntaxError = (error: unknown): boolean =>
  error instanceof SyntaxError ||
  (error instanceof Error &&
    (("type" in error && error.type === "entity.parse.failed") ||
      ("code" in error && error.code === "FST_ERR_CTP_INVALID_JSON_BODY")))
