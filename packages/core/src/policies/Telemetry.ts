/** Spans of operations, only where somebody traces: a span costs more than a trivial operation does. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import type { Operation } from "../domain/Operation.ts"
import type { OperationResult } from "../domain/OperationResult.ts"

type Answered = (results: ReadonlyArray<OperationResult>) => void

/**
 * Opens a span per operation of a call, and ends it with the outcome; undefined where no tracer is installed.
 *
 * @category tracing
 * @since 0.1.0
 */
export const ofBatch = (
  context: Context.Context<never>,
): ((operations: ReadonlyArray<Operation>, answered: Answered) => Answered) | undefined => {
  const tracer = Context.get(context, Tracer.Tracer)
  if (tracer === Tracer.nativeTracer) return undefined
  const clock = Context.get(context, Clock.Clock)
  const parent = Context.getOption(context, Tracer.ParentSpan)
  return (operations, answered) => {
    const spans = operations.map(({ index, action, id }) => {
      const span = tracer.span({
        name: "multistatus.operation",
        parent,
        annotations: Context.empty(),
        links: [],
        startTime: clock.currentTimeNanosUnsafe(),
        kind: "internal",
        root: false,
        sampled: Option.isSome(parent) ? parent.value.sampled : true,
      })
      span.attribute("multistatus.index", index)
      span.attribute("multistatus.action", action)
      if (id !== undefined) span.attribute("multistatus.id", id)
      return span
    })
    return (results) => {
      results.forEach((result, index) => {
        spans[index]!.attribute("multistatus.outcome", result.outcome)
        spans[index]!.attribute("multistatus.status", result.status)
        spans[index]!.end(clock.currentTimeNanosUnsafe(), Exit.void)
      })
      answered(results)
    }
  }
}
