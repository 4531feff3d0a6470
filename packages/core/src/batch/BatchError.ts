/** The error of a batch that was refused as a whole; none of its operations ran. */
import * as Schema from "effect/Schema"
import { InvalidBatch, type InvalidCode, LimitExceeded, Reason, UnsupportedMediaType } from "./RefusalReason.ts"

/**
 * The batch was refused for one `reason`, and nothing was executed.
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

  /** Refuses a malformed batch. */
  static invalid(code: typeof InvalidCode.Type, detail: string, pointer?: string, limit?: number): BatchError {
    return new BatchError({ reason: new InvalidBatch({ code, detail, pointer, limit }) })
  }

  /** Refuses a batch that exceeds a limit. */
  static tooMany(code: LimitExceeded["code"], limit: number, actual: number | undefined): BatchError {
    return new BatchError({ reason: new LimitExceeded({ code, limit, actual }) })
  }

  /** Refuses a body whose JSON is nested too deeply. */
  static tooDeep(limit: number): BatchError {
    return BatchError.invalid("TOO_DEEP", `The JSON is nested more than ${limit} levels deep`, undefined, limit)
  }

  /** Refuses a body of an unsupported media type, charset or encoding. */
  static unsupported(detail: string): BatchError {
    return new BatchError({ reason: new UnsupportedMediaType({ detail }) })
  }

  /** Refuses a strategy that the endpoint does not offer. */
  static strategyNotOffered(requested: string, offered: ReadonlyArray<string>): BatchError {
    return BatchError.invalid(
      "STRATEGY_NOT_OFFERED",
      `This endpoint does not offer the strategy "${requested}"; it offers: ${offered.join(", ")}`,
    )
  }
}
