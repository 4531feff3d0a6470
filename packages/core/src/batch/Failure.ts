/**
 * Failures of single operations. A failure is a plain value, not an `Error`: a batch of a thousand failing operations
 * captures no stack traces. A refused batch is a `BatchError`; a bug in a handler is a defect.
 */

const TypeId: unique symbol = Symbol.for("@multistatus/core/Failure") as never

/** One of several errors in an operation's input. */
export interface FieldError {
  /** Path of the field, joined with dots: `address.city`, `tags.0`. Absent if the error concerns the whole input. */
  readonly field?: string
  readonly message: string
}

/** Optional details of a failure. */
export interface FailureDetails {
  /** HTTP status, from 400 to 599. Default: `statusOf` the code, which is 422 for codes of the application. */
  readonly status?: number | undefined
  /** The invalid field, as a dotted path. */
  readonly field?: string | undefined
  /** All invalid fields, if there are several. */
  readonly errors?: ReadonlyArray<FieldError> | undefined
  /** Whether the same operation may succeed if it is retried unchanged. */
  readonly retryable?: boolean | undefined
  /** Whole seconds after which a retry makes sense. */
  readonly retryAfter?: number | undefined
}

/** The failure of one operation: a machine-readable code, a message for people, an HTTP status. */
export interface Failure extends FailureDetails {
  readonly [TypeId]: typeof TypeId
  readonly code: string
  readonly message: string
  readonly status: number
}

const statuses: ReadonlyMap<string, number> = new Map([
  ["VALIDATION_ERROR", 422],
  ["NOT_FOUND", 404],
  ["DUPLICATE", 409],
  ["CONFLICT", 409],
  ["UNAUTHORIZED", 401],
  ["FORBIDDEN", 403],
  ["UNKNOWN_ACTION", 400],
  ["INVALID_REQUEST", 400],
  ["NESTED_BATCH", 400],
  ["UNKNOWN_MEMBER", 400],
  ["INVALID_IDEMPOTENCY_KEY", 400],
  ["RATE_LIMITED", 429],
  ["TIMEOUT", 504],
  ["DEADLINE_EXCEEDED", 504],
  ["CANCELLED", 499],
  ["FAILED_DEPENDENCY", 424],
  ["UNRESOLVED_REFERENCE", 424],
  ["SKIPPED", 424],
  ["ROLLED_BACK", 424],
  ["IDEMPOTENCY_KEY_REUSED", 422],
  ["IDEMPOTENCY_IN_PROGRESS", 409],
  ["OUTCOME_UNKNOWN", 409],
  ["PAYLOAD_TOO_LARGE", 413],
  ["HEADERS_TOO_LARGE", 431],
  ["RESPONSE_TOO_LARGE", 507],
  ["WORKER_LOST", 500],
  ["STORE_UNAVAILABLE", 503],
  ["INTERNAL", 500],
])

/** Returns the HTTP status of a failure code; 422 for codes of the application. */
export const statusOf = (code: string): number => statuses.get(code) ?? 422

/**
 * Creates a failure, for an action to return or throw.
 *
 * **Details** Throws a `TypeError` if the status is not a whole number from 400 to 599.
 *
 * **Example** (A missing user)
 * ```ts
 * run: async (patch, { id }) => (await users.update(id, patch)) ?? failure("NOT_FOUND", `User ${id} not found`)
 * ```
 */
export const failure = (code: string, message: string, details?: FailureDetails): Failure => {
  const status = details?.status ?? statusOf(code)
  if (!Number.isInteger(status) || status < 400 || status > 599) {
    throw new TypeError(`The status of a failure must be a whole number from 400 to 599, not ${status}`)
  }
  return { [TypeId]: TypeId, code, message, ...details, status }
}

/** Whether a value was created by `failure`. Works across copies of this package. */
export const isFailure = (value: unknown): value is Failure =>
  typeof value === "object" && value !== null && TypeId in value

/** The failure that clients get for an unexpected exception. It shows nothing of the exception. */
export const internalFailure = (): Failure => failure("INTERNAL", "The operation failed unexpectedly")
