/** Metrics of batches and operations. An OpenTelemetry layer exports them under these names. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type { Tally } from "../batch/Batch.ts"

/** Counts batches that ran, by endpoint. */
export const batches = Metric.counter("multistatus.batches", { description: "Batches that ran", incremental: true })

/** Counts batches that were refused, by endpoint and code. */
export const refusals = Metric.counter("multistatus.refusals", {
  description: "Batches that were refused",
  incremental: true,
})

/** Counts operations, by endpoint and outcome. */
export const operations = Metric.counter("multistatus.operations", {
  description: "Operations by outcome",
  incremental: true,
})

/** Counts operations that were answered with a stored result, by endpoint. */
export const replays = Metric.counter("multistatus.replays", {
  description: "Operations that were answered with a stored result",
  incremental: true,
})

/** Distributes batches over the milliseconds that they took, results recorded, by endpoint. */
export const duration = Metric.histogram("multistatus.batch.duration", {
  description: "Milliseconds that batches took",
  boundaries: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000],
})

/** Records metrics of the batches of one endpoint. */
export interface BatchRecorder {
  /** Records a batch that ran, and how many milliseconds it took. */
  readonly ran: (counted: Tally, milliseconds: number) => Effect.Effect<void>
  /** Records a batch that was refused. */
  readonly refused: (code: string) => Effect.Effect<void>
}

/** Makes the recorder of an endpoint. Make one for each endpoint: naming attributes costs more than counting. */
export const recorder = (endpoint: string): BatchRecorder => {
  const ran = Metric.withAttributes(batches, { endpoint })
  const took = Metric.withAttributes(duration, { endpoint })
  const counters = {
    succeeded: Metric.withAttributes(operations, { endpoint, outcome: "success" }),
    failed: Metric.withAttributes(operations, { endpoint, outcome: "error" }),
    skipped: Metric.withAttributes(operations, { endpoint, outcome: "skipped" }),
    replayed: Metric.withAttributes(replays, { endpoint }),
  }
  return {
    ran: (counted, milliseconds) =>
      Effect.contextWith((context: Context.Context<never>) =>
        Effect.sync(() => {
          ran.updateUnsafe(1, context)
          took.updateUnsafe(milliseconds, context)
          for (const name of ["succeeded", "failed", "skipped", "replayed"] as const) {
            if (counted[name] > 0) counters[name].updateUnsafe(counted[name], context)
          }
        }),
      ),
    refused: (code) => Metric.update(Metric.withAttributes(refusals, { endpoint, code }), 1),
  }
}
