/**
 * Tests of the Effect application in the documentation.
 */
import type { AddressInfo } from "node:net"
import { BatchMetrics } from "@multistatus/core/effect"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Tracer from "effect/Tracer"
import { expect, it } from "vitest"
import { ask } from "./ask.ts"
import { listen, live } from "../effect.ts"

it("answers batches, with spans and metrics", async () => {
  const spans: Array<Tracer.Span> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    },
  })
  const succeeded = Metric.withAttributes(BatchMetrics.operations, { endpoint: "notes", outcome: "success" })
  const operations = [
    { action: "create", data: { text: "milk" } },
    { action: "create", data: { text: 5 } },
    { action: "delete", id: "7" },
  ]
  const program = Effect.gen(function* () {
    const { port } = (yield* listen(0)).address() as AddressInfo
    const before = (yield* Metric.value(succeeded)).count
    const answer = yield* Effect.promise(() => ask(`http://127.0.0.1:${port}/`, { operations }))
    return { answer, counted: Number((yield* Metric.value(succeeded)).count) - Number(before) }
  })
  const { answer, counted } = await Effect.runPromise(
    Effect.scoped(program).pipe(Effect.provide(Layer.merge(live, Layer.succeed(Tracer.Tracer, tracer)))),
  )
  expect(answer).toMatchObject({
    status: 207,
    body: {
      results: [
        { status: "success", id: "1" },
        { status: "error", error: { code: "VALIDATION_ERROR", field: "text" } },
        { status: "error", error: { code: "NOT_FOUND", message: "There is no note 7" } },
      ],
    },
  })
  expect(counted).toBe(1)
  const [batch, ...ofOperations] = spans
  expect(batch).toMatchObject({ name: "multistatus.batch" })
  expect(batch?.attributes.get("operations")).toBe(3)
  expect(
    ofOperations.map(({ name, attributes }) => [
      name,
      attributes.get("multistatus.index"),
      attributes.get("multistatus.action"),
      attributes.get("multistatus.outcome"),
    ]),
  ).toEqual([
    ["multistatus.operation", 0, "create", "success"],
    ["multistatus.operation", 2, "delete", "error"],
  ])
})
