/** The service of metrics and spans. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Tally } from "../batch/Batch.ts"
import * as BatchMetrics from "./BatchMetrics.ts"

/** Records what endpoints do. */
export class Telemetry extends Context.Service<
  Telemetry,
  {
    /** Records a batch that ran, and how many milliseconds it took. */
    readonly ran: (endpoint: string, counted: Tally, milliseconds: number) => Effect.Effect<void>
    /** Records a batch that was refused. */
    readonly refused: (endpoint: string, code: string) => Effect.Effect<void>
    /** Traces a batch until its scope closes. */
    readonly trace: <A, E, R>(
      endpoint: string,
      operations: number,
      run: Effect.Effect<A, E, R>,
    ) => Effect.Effect<A, E, R | Scope.Scope>
  }
>()("@multistatus/core/Telemetry") {
  /** The metrics of `BatchMetrics`, and a span `multistatus.batch` for each batch. */
  static readonly layer: Layer.Layer<Telemetry> = Layer.sync(Telemetry, () => {
    const recorders = new Map<string, BatchMetrics.BatchRecorder>()
    const recorderOf = (endpoint: string): BatchMetrics.BatchRecorder => {
      const known = recorders.get(endpoint)
      if (known !== undefined) return known
      const recorder = BatchMetrics.recorder(endpoint)
      recorders.set(endpoint, recorder)
      return recorder
    }
    return Telemetry.of({
      ran: (endpoint, counted, milliseconds) => recorderOf(endpoint).ran(counted, milliseconds),
      refused: (endpoint, code) => recorderOf(endpoint).refused(code),
      trace: (endpoint, operations, run) =>
        Effect.withSpanScoped(run, "multistatus.batch", { attributes: { endpoint, operations } }),
    })
  })

  /** Records nothing. */
  static readonly layerNone: Layer.Layer<Telemetry> = Layer.succeed(Telemetry, {
    ran: () => Effect.void,
    refused: () => Effect.void,
    trace: (_endpoint, _operations, run) => run,
  })
}
