/** Problem documents (RFC 9457): for batches that are refused, and for sub-requests that do not run. */
import type { BatchError } from "../batch/BatchError.ts"
import type { Failure } from "../batch/Failure.ts"

/** The media type of problem details (RFC 9457, section 6.1). */
export const mediaType = "application/problem+json"

/** A problem document. */
export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: string
  readonly [extension: string]: unknown
}

const words = (code: string) => code.toLowerCase().split("_")

/** Creates a problem; its type and title are derived from the code. */
export const make = (
  code: string,
  status: number,
  detail: string,
  extensions: Readonly<Record<string, unknown>> = {},
): Problem => {
  const [first = "", ...rest] = words(code)
  const title = [first.charAt(0).toUpperCase() + first.slice(1), ...rest].join(" ")
  return { type: `urn:multistatus:problem:${words(code).join("-")}`, title, status, detail, code, ...extensions }
}

/** The problem type that draft-ietf-httpapi-ratelimit-headers registers. */
const quotaExceeded = "https://iana.org/assignments/http-problem-types#quota-exceeded"

/** Creates the problem of a refused batch, with the details that help to correct it. */
export const ofBatchError = ({ reason }: BatchError): Problem => ({
  ...make(reason.code, reason.status, reason.message, {
    pointer: "pointer" in reason ? reason.pointer : undefined,
    limit: "limit" in reason ? reason.limit : undefined,
    actual: "actual" in reason ? reason.actual : undefined,
    retry_after: "retryAfter" in reason ? reason.retryAfter : undefined,
  }),
  ...(reason._tag === "QuotaExceeded" && { type: quotaExceeded, "violated-policies": reason.violated }),
})

/** Creates the problem of one failed operation. */
export const ofFailure = ({ code, status, message, field, errors, retryable, retryAfter }: Failure): Problem =>
  make(code, status, message, { field, errors, retryable, retry_after: retryAfter })

/** Creates the problem of a defect. It shows nothing of the exception. */
export const internal = (): Problem => make("INTERNAL", 500, "The request failed unexpectedly")
