/** The services that endpoints need, each with a default. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { BatchLimits } from "../batch/BatchLimits.ts"
import { StrategySelector } from "../batch/StrategySelector.ts"
import { Executor } from "../execution/Executor.ts"
import { BatchParser } from "../http/BatchParser.ts"
import { Planner } from "../planning/Planner.ts"
import { Telemetry } from "./Telemetry.ts"

/** The services that an endpoint needs beside the engine. */
export type BatchServices = BatchParser | BatchLimits | StrategySelector | Planner | Executor | Telemetry

const orDefault = <Self, Shape>(key: Context.Key<Self, Shape>, layer: Layer.Layer<Self>): Layer.Layer<Self> =>
  Layer.unwrap(Effect.map(Effect.serviceOption(key), Option.match({ onNone: () => layer, onSome: Layer.succeed(key) })))

/** The default of every service. Services that the context has already stay. */
export const batchServices: Layer.Layer<BatchServices> = Layer.mergeAll(
  orDefault(BatchParser, BatchParser.layer),
  orDefault(BatchLimits, BatchLimits.layer()),
  orDefault(StrategySelector, StrategySelector.layer()),
  orDefault(Planner, Planner.layer),
  orDefault(Executor, Executor.layer),
  orDefault(Telemetry, Telemetry.layer),
)
