/** The service that plans batches. */
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import * as Plan from "./Plan.ts"

/** Decides in which order and in which groups the operations of a batch run. */
export class Planner extends Context.Service<Planner, { readonly plan: Plan.Planner }>()("@multistatus/core/Planner") {
  /** Plans by a function. */
  static readonly layerFrom = (plan: Plan.Planner): Layer.Layer<Planner> => Layer.succeed(Planner, { plan })

  /** Plans by dependencies and order keys. */
  static readonly layer: Layer.Layer<Planner> = Planner.layerFrom(Plan.make)
}
