/** Results of operations. Every operation of a batch gets one, whether it succeeded or not. */
import type { Failure } from "./Failure.ts"

/** How an operation ended; `skipped` operations never started. */
export type Outcome = "success" | "error" | "skipped"

/** The result of one operation. Create it with the static methods. */
export class OperationResult {
  readonly outcome: Outcome
  /** HTTP status of this operation. */
  readonly status: number
  /** What the action returned, or the reply to a sub-request, including a 4xx or 5xx reply. */
  readonly value: unknown
  readonly failure: Failure | undefined
  /** Whether a handler returned this result; false if the engine made it for an operation that did not run to its end. */
  readonly answered: boolean
  /** Whether the result was stored by an earlier execution. */
  readonly replayed: boolean
  /** Whether the handler had begun and was stopped, so that the operation may have taken effect. */
  readonly interrupted: boolean

  private constructor(
    outcome: Outcome,
    status: number,
    value: unknown,
    failure: Failure | undefined,
    answered: boolean,
    replayed: boolean,
    interrupted = false,
  ) {
    this.outcome = outcome
    this.status = status
    this.value = value
    this.failure = failure
    this.answered = answered
    this.replayed = replayed
    this.interrupted = interrupted
  }

  /** The operation succeeded. */
  static success(value: unknown, status = 200): OperationResult {
    return new OperationResult("success", status, value, undefined, true, false)
  }

  /** The operation ran, and its handler reported a failure. */
  static error(failure: Failure): OperationResult {
    return new OperationResult("error", failure.status, undefined, failure, true, false)
  }

  /** The operation was refused before it started, or was rolled back. */
  static refused(failure: Failure): OperationResult {
    return new OperationResult("error", failure.status, undefined, failure, false, false)
  }

  /** The handler had begun and was stopped before it ended. The operation may have taken effect. */
  static interrupted(failure: Failure): OperationResult {
    return new OperationResult("error", failure.status, undefined, failure, false, false, true)
  }

  /** The operation is a sub-request that got an HTTP reply; statuses below 400 are successes. */
  static replied(status: number, reply: unknown): OperationResult {
    return new OperationResult(status < 400 ? "success" : "error", status, reply, undefined, true, false)
  }

  /** The operation never started, for a reason outside of it. */
  static skipped(failure: Failure): OperationResult {
    return new OperationResult("skipped", failure.status, undefined, failure, false, false)
  }

  /** The result was stored by an earlier execution. */
  static replay({
    outcome,
    status,
    value,
    failure,
  }: Pick<OperationResult, "outcome" | "status" | "value" | "failure">): OperationResult {
    return new OperationResult(outcome, status, value, failure, true, true)
  }
}

// With these statuses a server asks the client to repeat the request.
const retryStatuses: ReadonlySet<number> = new Set([408, 425, 429])

/**
 * Whether a result is final: a retry gets it again instead of running the operation. Final are results of handlers that
 * succeeded, or failed with a status from 400 to 499 other than 408, 425 and 429.
 */
export const isFinal = ({ answered, outcome, status }: OperationResult): boolean =>
  answered && (outcome === "success" || (status >= 400 && status < 500 && !retryStatuses.has(status)))
