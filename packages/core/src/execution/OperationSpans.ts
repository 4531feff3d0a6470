/** Trace spans of operations. They are created only if a tracer is installed: a span costs more than a trivial operation. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import type { Operation } from "../batch/Operation.ts"

/** Starts a span for each operation; the returned function ends them, once the operations have their results. */
export type StartSpans = (operations: ReadonlyArray<Operation>) => () => void

/** Returns the function that starts the spans of a batch; undefined if no tracer is installed. */
export const ofBatch = (context: Context.Context<never>): StartSpans | undefined => {
  const tracer = Context.get(context, Tracer.Tracer)
  if (tracer === Tracer.nativeTracer) return undefined
  const clock = Context.get(context, Clock.Clock)
  const parent = Context.getOption(context, Tracer.ParentSpan)
  return (operations) => {
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
    return () => {
      const endTime = clock.currentTimeNanosUnsafe()
      operations.forEach(({ result }, position) => {
        spans[position]!.attribute("multistatus.outcome", result?.outcome)
        spans[position]!.attribute("multistatus.status", result?.status)
        spans[position]!.end(endTime, Exit.void)
      })
    }
  }
}
