/** What is counted and measured of batches, under names that an OpenTelemetry layer exports as they are. */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type { Tally } from "../domain/Batch.ts"

/** Batches that ran, by endpoint. @category metrics @since 0.1.0 */
export const batches = Metric.counter("multistatus.batches", { description: "Batches that ran", incremental: true })

/** Batches that were refused, by endpoint and code. @category metrics @since 0.1.0 */
export const refusals = Metric.counter("multistatus.refusals", {
  description: "Batches that were refused",
  incremental: true,
})

/** Operations, by endpoint and outcome. @category metrics @since 0.1.0 */
export const operations = Metric.counter("multistatus.operations", {
  description: "Operations by outcome",
  incremental: true,
})

/** Milliseconds that batches took to execute, by endpoint. @category metrics @since 0.1.0 */
export const duration = Metric.histogram("multistatus.batch.duration", {
  description: "Milliseconds that batches took",
  boundaries: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000],
})

/** Records a batch that ran. @category metrics @since 0.1.0 */
export const record = (endpoint: string, counted: Tally, milliseconds: number): Effect.Effect<void> => {
  const outcome = (outcome: string, count: number) =>
    count === 0 ? Effect.void : Metric.update(Metric.withAttributes(operations, { endpoint, outcome }), count)
  return Effect.all(
    [
      Metric.update(Metric.withAttributes(batches, { endpoint }), 1),
      outcome("success", counted.succeeded),
      outcome("error", counted.failed),
      outcome("skipped", counted.skipped),
      Metric.update(Metric.withAttributes(duration, { endpoint }), milliseconds),
    ],
    { discard: true },
  )
}

/** Records a batch that was refused. @category metrics @since 0.1.0 */
export const recordRefusal = (endpoint: string, code: string): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(refusals, { endpoint, code }), 1)
