/** Strategies: how a batch treats failing operations. */
import * as Result from "effect/Result"
import { BatchError } from "./BatchError.ts"

/**
 * How a batch treats failing operations.
 *
 * - `partial`: every operation succeeds or fails on its own.
 * - `atomic`: all operations succeed or none, inside one transaction.
 * - `stop-after`: operations start in request order; after `failures` failures no more operations start.
 */
export type Strategy =
  | { readonly _tag: "partial" }
  | { readonly _tag: "atomic" }
  | { readonly _tag: "stop-after"; readonly failures: number }

/** The strategy that a client requests in the envelope; a member that was not sent, or is null, counts as absent. */
export interface StrategyRequest {
  readonly atomic: unknown
  readonly stopAfter: unknown
}

/** The strategies that an endpoint offers. */
export interface StrategyOffer {
  /** Used when the client requests none. */
  readonly default: Strategy
  /** What a client may request instead. */
  readonly choices: ReadonlyArray<Strategy["_tag"]>
}

/** The strategy `partial`. */
export const partial: Strategy = { _tag: "partial" }

/**
 * Chooses the strategy of one batch.
 *
 * **Details** `"atomic": true` and `"stop_after": n` (a whole number from 1) request a strategy; `"atomic": false`
 * requests `partial` where the default is `atomic`. Fails if both are requested, a value has the wrong type, or the
 * endpoint does not offer the strategy.
 */
export const choose = (offer: StrategyOffer, request: StrategyRequest): Result.Result<Strategy, BatchError> => {
  const atomic = request.atomic ?? undefined
  const stopAfter = request.stopAfter ?? undefined
  if (atomic !== undefined && typeof atomic !== "boolean") {
    return Result.fail(BatchError.invalid("INVALID_BATCH", `"atomic" must be true or false`, "/atomic"))
  }
  if (stopAfter !== undefined && !(Number.isSafeInteger(stopAfter) && (stopAfter as number) >= 1)) {
    return Result.fail(
      BatchError.invalid("INVALID_BATCH", `"stop_after" must be a whole number of failures, 1 or more`, "/stop_after"),
    )
  }
  if (atomic === true && stopAfter !== undefined) {
    return Result.fail(
      BatchError.invalid(
        "INVALID_BATCH",
        `"atomic" and "stop_after" cannot be combined: send one of them`,
        "/stop_after",
      ),
    )
  }
  if (atomic === true) return offered(offer, { _tag: "atomic" })
  if (stopAfter !== undefined) return offered(offer, { _tag: "stop-after", failures: stopAfter as number })
  if (atomic === false && offer.default._tag === "atomic") return offered(offer, partial)
  return Result.succeed(offer.default)
}

const offered = (offer: StrategyOffer, strategy: Strategy): Result.Result<Strategy, BatchError> =>
  offer.choices.includes(strategy._tag) || (offer.default._tag === strategy._tag && strategy._tag !== "stop-after")
    ? Result.succeed(strategy)
    : Result.fail(BatchError.strategyNotOffered(strategy._tag, [...new Set([offer.default._tag, ...offer.choices])]))
