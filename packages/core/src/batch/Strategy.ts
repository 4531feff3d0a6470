/** What a batch does about failing operations. */
import * as Result from "effect/Result"
import { BatchError } from "./BatchError.ts"

/**
 * - `partial`: each operation stands alone.
 * - `atomic`: all or nothing, inside one transaction.
 * - `stop-after`: operations start in request order; after `failures` failed ones nothing more starts.
 */
export type Strategy =
  | { readonly _tag: "partial" }
  | { readonly _tag: "atomic" }
  | { readonly _tag: "stop-after"; readonly failures: number }

/** What a client asked for in the envelope; absent members were not sent. */
export interface StrategyRequest {
  readonly atomic: unknown
  readonly stopAfter: unknown
}

/** Which strategies an endpoint has. */
export interface StrategyOffer {
  /** Taken when the client asks for none. */
  readonly default: Strategy
  /** What a client may ask for instead. */
  readonly choices: ReadonlyArray<Strategy["_tag"]>
}

export const partial: Strategy = { _tag: "partial" }

/**
 * Decides the strategy of one batch.
 *
 * **Details** `"atomic": true` and `"stop_after": n` (a whole number from 1) ask for one; `"atomic": false` asks for
 * partial success where atomic is standard. Both at once, a wrong type, or a strategy that the endpoint does not
 * offer refuse the batch.
 */
export const choose = (offer: StrategyOffer, asked: StrategyRequest): Result.Result<Strategy, BatchError> => {
  const { atomic, stopAfter } = asked
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
        `"atomic" and "stop_after" exclude each other: send one of them`,
        "/stop_after",
      ),
    )
  }
  if (atomic === true) return offered(offer, { _tag: "atomic" })
  if (stopAfter !== undefined) return offered(offer, { _tag: "stop-after", failures: stopAfter as number })
  if (atomic === false && offer.default._tag === "atomic") return offered(offer, partial)
  return Result.succeed(offer.default)
}

const offered = (offer: StrategyOffer, wanted: Strategy): Result.Result<Strategy, BatchError> =>
  offer.choices.includes(wanted._tag) || (offer.default._tag === wanted._tag && wanted._tag !== "stop-after")
    ? Result.succeed(wanted)
    : Result.fail(BatchError.strategyNotOffered(wanted._tag, [...new Set([offer.default._tag, ...offer.choices])]))
