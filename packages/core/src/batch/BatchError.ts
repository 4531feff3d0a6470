/** Why a whole batch was refused. Nothing of a refused batch was executed. One error, many reasons. */
import * as Schema from "effect/Schema"

/** Codes of batches that are wrong in themselves, answered 400. */
export const InvalidCode = Schema.Literals([
  "MALFORMED_JSON",
  "INVALID_BATCH",
  "EMPTY_BATCH",
  "DUPLICATE_ID",
  "INVALID_DEPENDENCY",
  "TOO_DEEP",
  "NESTED_BATCH",
  "STRATEGY_NOT_OFFERED",
  "IDEMPOTENCY_KEY_REQUIRED",
  "INVALID_IDEMPOTENCY_KEY",
])

/** The envelope is wrong: its shape, an id, a dependency, a strategy. */
export class InvalidBatch extends Schema.TaggedError<InvalidBatch>("@multistatus/core/BatchError/InvalidBatch")(
  "InvalidBatch",
  {
    code: InvalidCode,
    detail: Schema.String,
    /** JSON Pointer (RFC 6901) to what is wrong. */
    pointer: Schema.UndefinedOr(Schema.String),
    /** The largest value allowed, where a limit is meant. */
    limit: Schema.UndefinedOr(Schema.Int),
  },
) {
  readonly status = 400
  override get message() {
    return this.detail
  }
}

/** The batch has too many operations or too many bytes. */
export class LimitExceeded extends Schema.TaggedError<LimitExceeded>("@multistatus/core/BatchError/LimitExceeded")(
  "LimitExceeded",
  {
    code: Schema.Literals(["TOO_MANY_OPERATIONS", "PAYLOAD_TOO_LARGE"]),
    limit: Schema.Int,
    /** What was counted; a lower bound when reading stopped early. Absent when it is not known. */
    actual: Schema.UndefinedOr(Schema.Int),
  },
) {
  readonly status = 413
  override get message() {
    const counted = this.actual === undefined ? "more" : String(this.actual)
    return this.code === "TOO_MANY_OPERATIONS"
      ? `The batch has ${counted} operations, at most ${this.limit} are allowed: split it into smaller batches`
      : `The body has ${counted} bytes, at most ${this.limit} are allowed: split it into smaller batches`
  }
}

/** The body is not sent in a form that the endpoint reads. */
export class UnsupportedMediaType extends Schema.TaggedError<UnsupportedMediaType>(
  "@multistatus/core/BatchError/UnsupportedMediaType",
)("UnsupportedMediaType", { detail: Schema.String }) {
  readonly code = "UNSUPPORTED_MEDIA_TYPE"
  readonly status = 415
  override get message() {
    return this.detail
  }
}

/** The body did not arrive in time. */
export class ReceiveTimeout extends Schema.TaggedError<ReceiveTimeout>("@multistatus/core/BatchError/ReceiveTimeout")(
  "ReceiveTimeout",
  { limit: Schema.Int },
) {
  readonly code = "TIMEOUT"
  readonly status = 408
  override get message() {
    return `The body did not arrive within ${this.limit} ms`
  }
}

/** The client went away before its body had arrived. Nobody reads the answer. */
export class ClientGone extends Schema.TaggedError<ClientGone>("@multistatus/core/BatchError/ClientGone")(
  "ClientGone",
  {},
) {
  readonly code = "CANCELLED"
  readonly status = 499
  override get message() {
    return "The client went away before its body had arrived"
  }
}

/** As many batches are running as the server allows. */
export class Overloaded extends Schema.TaggedError<Overloaded>("@multistatus/core/BatchError/Overloaded")(
  "Overloaded",
  {
    limit: Schema.Int,
    /** Whether all callers together have so many, or this one. */
    whose: Schema.Literals(["server", "caller"]),
    /** Whole seconds after which a retry makes sense. */
    retryAfter: Schema.Int,
  },
) {
  readonly code = "OVERLOADED"
  readonly status = 503
  override get message() {
    const running = this.whose === "server" ? "The server is running" : "The server is running for this caller"
    return `${running} ${this.limit} batches, as many as it allows: try again in ${this.retryAfter} s`
  }
}

/** The reply to the commit of an atomic batch was lost, and what became of it cannot be read. */
export class OutcomeUnknown extends Schema.TaggedError<OutcomeUnknown>("@multistatus/core/BatchError/OutcomeUnknown")(
  "OutcomeUnknown",
  {},
) {
  readonly code = "OUTCOME_UNKNOWN"
  readonly status = 503
  override get message() {
    return "The connection to the database was lost while the batch was being committed: look what is there before trying again"
  }
}

/** The caller has used up a quota, for the time being. */
export class QuotaExceeded extends Schema.TaggedError<QuotaExceeded>("@multistatus/core/BatchError/QuotaExceeded")(
  "QuotaExceeded",
  {
    /** Names of the policies that the batch does not fit in. */
    violated: Schema.Array(Schema.String),
    /** Whole seconds after which it would fit. */
    fitsAfter: Schema.Int,
    /** Whole seconds after which a retry makes sense: no less. */
    retryAfter: Schema.Int,
  },
) {
  readonly code = "RATE_LIMITED"
  readonly status = 429
  override get message() {
    return `The quota is used up, so nothing was executed: the batch fits in ${this.fitsAfter} s`
  }
}

/** The batch costs more than a quota ever has. */
export class ExceedsQuota extends Schema.TaggedError<ExceedsQuota>("@multistatus/core/BatchError/ExceedsQuota")(
  "ExceedsQuota",
  {
    /** The first so many of its operations would fit at once. */
    limit: Schema.Int,
    actual: Schema.Int,
  },
) {
  readonly code = "BATCH_EXCEEDS_QUOTA"
  readonly status = 422
  override get message() {
    const advice = this.limit === 0 ? "not even one of its operations fits" : `send at most ${this.limit} at once`
    return `The ${this.actual} operations of the batch to be charged cost more than the quota ever has: ${advice}`
  }
}

/** A refusal that a custom policy makes up. */
export class PolicyRefusal extends Schema.TaggedError<PolicyRefusal>("@multistatus/core/BatchError/PolicyRefusal")(
  "PolicyRefusal",
  {
    code: Schema.String,
    status: Schema.Int.check(Schema.isBetween({ minimum: 400, maximum: 599 })),
    detail: Schema.String,
    retryAfter: Schema.UndefinedOr(Schema.Int),
  },
) {
  override get message() {
    return this.detail
  }
}

/** Every reason a batch may be refused for. */
export const Reason = Schema.Union([
  InvalidBatch,
  LimitExceeded,
  UnsupportedMediaType,
  ReceiveTimeout,
  ClientGone,
  Overloaded,
  OutcomeUnknown,
  QuotaExceeded,
  ExceedsQuota,
  PolicyRefusal,
])

/**
 * A batch was refused, for one `reason`; nothing of it was executed.
 *
 * **Details** Recover from one reason with `Effect.catchReason("BatchError", "LimitExceeded", …)`.
 */
export class BatchError extends Schema.TaggedError<BatchError>("@multistatus/core/BatchError")("BatchError", {
  reason: Reason,
}) {
  override readonly cause = this.reason

  override get message() {
    return this.reason.message
  }

  /** HTTP status of the refusal. */
  get status(): number {
    return this.reason.status
  }

  /** Refuses a batch that is wrong in itself. */
  static invalid(code: typeof InvalidCode.Type, detail: string, pointer?: string, limit?: number): BatchError {
    return new BatchError({ reason: new InvalidBatch({ code, detail, pointer, limit }) })
  }

  /** Refuses a batch beyond a limit. */
  static tooMany(code: LimitExceeded["code"], limit: number, actual: number | undefined): BatchError {
    return new BatchError({ reason: new LimitExceeded({ code, limit, actual }) })
  }

  /** Refuses a body that is nested too deeply. */
  static tooDeep(limit: number): BatchError {
    return BatchError.invalid("TOO_DEEP", `The JSON is nested more than ${limit} levels deep`, undefined, limit)
  }

  /** Refuses a body in a form that is not read here. */
  static unsupported(detail: string): BatchError {
    return new BatchError({ reason: new UnsupportedMediaType({ detail }) })
  }

  /** Refuses a strategy that the endpoint does not have. */
  static strategyNotOffered(wanted: string, offered: ReadonlyArray<string>): BatchError {
    return BatchError.invalid(
      "STRATEGY_NOT_OFFERED",
      `This endpoint does not offer the strategy "${wanted}"; it offers: ${offered.join(", ")}`,
    )
  }
}
