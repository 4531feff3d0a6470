/** The service of strategies: which strategy one batch runs by. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Batch } from "./Batch.ts"
import type { BatchError } from "./BatchError.ts"
import { partial, type Strategy, type StrategyOffer } from "./Strategy.ts"

/** A batch whose strategy has to be chosen. */
export interface StrategySelection {
  readonly operations: Batch["operations"]
  /** The strategy that the client requested, which the endpoint offers; undefined if it requested none. */
  readonly requested: Strategy | undefined
  readonly tenant: string | undefined
}

/**
 * Chooses the strategy of each batch.
 *
 * **Details** `offer` is what the endpoint publishes. A codec refuses requests for other strategies before `select` is
 * called. `select` may choose any strategy; `atomic` needs a `UnitOfWork`.
 */
export class StrategySelector extends Context.Service<
  StrategySelector,
  {
    readonly offer: StrategyOffer
    readonly select: (selection: StrategySelection) => Effect.Effect<Strategy, BatchError>
  }
>()("@multistatus/core/StrategySelector") {
  /** Chooses what the client requested, or else the default of the offer. Default offer: `partial` and nothing else. */
  static readonly layer = (offer: StrategyOffer = { default: partial, choices: [] }): Layer.Layer<StrategySelector> =>
    StrategySelector.layerFrom(offer, ({ requested = offer.default }) => Effect.succeed(requested))

  /** Chooses by a function. */
  static readonly layerFrom = (
    offer: StrategyOffer,
    select: StrategySelector["Service"]["select"],
  ): Layer.Layer<StrategySelector> => Layer.succeed(StrategySelector, { offer, select })
}
