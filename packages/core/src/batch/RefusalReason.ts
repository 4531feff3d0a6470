/** The reasons for which a whole batch may be refused. `BatchError` carries one of them. */
import * as Schema from "effect/Schema"

/** Codes of malformed batches; their status is 400. */
export const InvalidCode = Schema.Literals([
  "MALFORMED_JSON",
  "INVALID_BATCH",
  "UNKNOWN_MEMBER",
  "EMPTY_BATCH",
  "DUPLICATE_ID",
  "INVALID_DEPENDENCY",
  "TOO_DEEP",
  "NESTED_BATCH",
  "STRATEGY_NOT_OFFERED",
  "IDEMPOTENCY_KEY_REQUIRED",
  "INVALID_IDEMPOTENCY_KEY",
])

/** The envelope is invalid: its shape, an id, a dependency or the strategy. */
export class InvalidBatch extends Schema.TaggedError<InvalidBatch>("@multistatus/core/BatchError/InvalidBatch")(
  "InvalidBatch",
  {
    code: InvalidCode,
    detail: Schema.String,
    /** JSON Pointer (RFC 6901) to the invalid part; undefined for the whole body. */
    pointer: Schema.UndefinedOr(Schema.String),
    /** The limit that was exceeded, if any. */
    limit: Schema.UndefinedOr(Schema.Int),
  },
) {
  readonly status = 400
  override get message() {
    return this.detail
  }
}

/** The batch has too many operations, or its body too many bytes. */
export class LimitExceeded extends Schema.TaggedError<LimitExceeded>("@multistatus/core/BatchError/LimitExceeded")(
  "LimitExceeded",
  {
    code: Schema.Literals(["TOO_MANY_OPERATIONS", "PAYLOAD_TOO_LARGE"]),
    limit: Schema.Int,
    /** The counted value, a lower bound where reading stopped early; undefined if unknown. */
    actual: Schema.UndefinedOr(Schema.Int),
  },
) {
  readonly status = 413
  override get message() {
    const [whole, unit] = this.code === "TOO_MANY_OPERATIONS" ? ["batch", "operations"] : ["body", "bytes"]
    return this.actual === undefined
      ? `The ${whole} has more than the ${this.limit} ${unit} that are allowed: split it into smaller batches`
      : `The ${whole} has ${this.actual} ${unit}, at most ${this.limit} are allowed: split it into smaller batches`
  }
}

/** The endpoint does not read bodies of this media type, charset or encoding. */
export class UnsupportedMediaType extends Schema.TaggedError<UnsupportedMediaType>(
  "@multistatus/core/BatchError/UnsupportedMediaType",
)("UnsupportedMediaType", { detail: Schema.String }) {
  readonly code = "UNSUPPORTED_MEDIA_TYPE"
  readonly status = 415
  override get message() {
    return this.detail
  }
}

/** The body did not arrive within the time limit (`receiveMs`). */
export class ReceiveTimeout extends Schema.TaggedError<ReceiveTimeout>("@multistatus/core/BatchError/ReceiveTimeout")(
  "ReceiveTimeout",
  {
    /** Milliseconds. */
    limit: Schema.Int,
  },
) {
  readonly code = "TIMEOUT"
  readonly status = 408
  override get message() {
    return `The body did not arrive within ${this.limit} ms`
  }
}

/** The client disconnected before its whole body had arrived. */
export class ClientGone extends Schema.TaggedError<ClientGone>("@multistatus/core/BatchError/ClientGone")(
  "ClientGone",
  {},
) {
  readonly code = "CANCELLED"
  readonly status = 499
  override get message() {
    return "The client disconnected before its whole body had arrived"
  }
}

/** The maximum number of concurrent batches is already running. */
export class Overloaded extends Schema.TaggedError<Overloaded>("@multistatus/core/BatchError/Overloaded")(
  "Overloaded",
  {
    limit: Schema.Int,
    /** Whether the limit applies to the whole server or to one caller. */
    scope: Schema.Literals(["server", "caller"]),
    /** Whole seconds after which a retry makes sense. */
    retryAfter: Schema.Int,
  },
) {
  readonly code = "OVERLOADED"
  readonly status = 503
  override get message() {
    return `The ${this.scope} is running ${this.limit} batches, the maximum: retry after ${this.retryAfter} s`
  }
}

/** The reply to the commit of an atomic batch was lost, so it is unknown whether the batch was committed. */
export class OutcomeUnknown extends Schema.TaggedError<OutcomeUnknown>("@multistatus/core/BatchError/OutcomeUnknown")(
  "OutcomeUnknown",
  {},
) {
  readonly code = "OUTCOME_UNKNOWN"
  readonly status = 503
  override get message() {
    return "The database connection was lost during the commit, so the outcome is unknown: check the data before you retry"
  }
}

/** The caller has used up a quota; the batch fits later. */
export class QuotaExceeded extends Schema.TaggedError<QuotaExceeded>("@multistatus/core/BatchError/QuotaExceeded")(
  "QuotaExceeded",
  {
    /** Names of the policies whose quota the batch exceeds. */
    violated: Schema.Array(Schema.String),
    /** Whole seconds after which the batch fits. */
    fitsAfter: Schema.Int,
    /** Whole seconds after which to retry: `fitsAfter` plus jitter. */
    retryAfter: Schema.Int,
  },
) {
  readonly code = "RATE_LIMITED"
  readonly status = 429
  override get message() {
    return `The quota is used up, so nothing was executed: the batch fits in ${this.fitsAfter} s`
  }
}

/** The batch costs more than a quota ever allows. */
export class BatchExceedsQuota extends Schema.TaggedError<BatchExceedsQuota>(
  "@multistatus/core/BatchError/BatchExceedsQuota",
)("BatchExceedsQuota", {
  /** How many of its operations, from the first on, would fit in one batch. */
  limit: Schema.Int,
  /** Operations of the batch that are charged. */
  actual: Schema.Int,
}) {
  readonly code = "BATCH_EXCEEDS_QUOTA"
  readonly status = 422
  override get message() {
    const advice = this.limit === 0 ? "not even one of them fits" : `send at most ${this.limit} at once`
    return `The ${this.actual} operations to charge cost more than the quota ever allows: ${advice}`
  }
}

/** A refusal with a code and a status of its own, such as one by a policy of the application. */
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

/** Any reason for which a batch may be refused. */
export const Reason = Schema.Union([
  InvalidBatch,
  LimitExceeded,
  UnsupportedMediaType,
  ReceiveTimeout,
  ClientGone,
  Overloaded,
  OutcomeUnknown,
  QuotaExceeded,
  BatchExceedsQuota,
  PolicyRefusal,
])
