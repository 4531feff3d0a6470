/** What became of one operation: one instance per operation, success or not, in request order. */
import type { Failure } from "./Failure.ts"

/** `skipped` operations never began. */
export type Outcome = "success" | "error" | "skipped"

/** The result of one operation. Built through its statics, never by hand. */
export class OperationResult {
  readonly outcome: Outcome
  /** HTTP status of this operation alone. */
  readonly status: number
  /** What the action returned, or the reply of a sub-request (also of one that answered 4xx or 5xx). */
  readonly value: unknown
  readonly failure: Failure | undefined
  /** Whether this is a handler's own answer, and not what the engine says of an operation that was not run to its end. */
  readonly answered: boolean
  /** Whether it was stored by an earlier execution. */
  readonly replayed: boolean

  private constructor(
    outcome: Outcome,
    status: number,
    value: unknown,
    failure: Failure | undefined,
    answered: boolean,
    replayed: boolean,
  ) {
    this.outcome = outcome
    this.status = status
    this.value = value
    this.failure = failure
    this.answered = answered
    this.replayed = replayed
  }

  /** The operation did what it was asked. */
  static success(value: unknown, status = 200): OperationResult {
    return new OperationResult("success", status, value, undefined, true, false)
  }

  /** The operation was run, and its handler says that it failed. */
  static error(failure: Failure): OperationResult {
    return new OperationResult("error", failure.status, undefined, failure, true, false)
  }

  /** The operation was refused on its own before it could begin, was given up, or was undone. */
  static refused(failure: Failure): OperationResult {
    return new OperationResult("error", failure.status, undefined, failure, false, false)
  }

  /** The operation answered for itself, in HTTP: good below 400. */
  static replied(status: number, reply: unknown): OperationResult {
    return new OperationResult(status < 400 ? "success" : "error", status, reply, undefined, true, false)
  }

  /** The operation never began, because of something outside of it. */
  static skipped(failure: Failure): OperationResult {
    return new OperationResult("skipped", failure.status, undefined, failure, false, false)
  }

  /** A result that an earlier execution stored. */
  static replay({ outcome, status, value, failure }: Omit<OperationResult, "answered" | "replayed">): OperationResult {
    return new OperationResult(outcome, status, value, failure, true, true)
  }
}

// 408, 425 and 429 ask the client to send the same request again.
const asksForRetry: ReadonlySet<number> = new Set([408, 425, 429])

/**
 * Tells whether a result is final, so that a retry should get it again: a handler's own answer that succeeded, or that
 * failed with a status from 400 to 499 other than 408, 425 and 429.
 */
export const isFinal = ({ answered, outcome, status }: OperationResult): boolean =>
  answered && (outcome === "success" || (status >= 400 && status < 500 && !asksForRetry.has(status)))
