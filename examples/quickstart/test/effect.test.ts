/**
 * Tests of the Effect application in the documentation.
 */
import { BatchMetrics } from "@multistatus/core/effect"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { HttpRouter } from "effect/http"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import { TestClock } from "effect/testing"
import * as Tracer from "effect/Tracer"
import { expect, it } from "vitest"
import { Notes, notesBatch, services } from "../effect.ts"
import { batchRoute } from "../effectRouter.ts"

/** Notes in memory. Adding the note "slow" never ends. */
const memoryNotes = Layer.sync(Notes, () => {
  const notes = new Map<string, string>()
  return Notes.of({
    add: (text) =>
      text === "slow"
        ? Effect.never
        : Effect.sync(() => ({ id: String(notes.set(String(notes.size + 1), text).size) })),
    remove: (id) => Effect.sync(() => notes.delete(id)),
  })
})

const post = (operations: ReadonlyArray<unknown>) =>
  new Request("http://localhost/notes/batch", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ operations }),
  })

const routes = Layer.provide(batchRoute("/notes/batch", notesBatch), services)

/** Serves the routes without a server: a function from requests to responses. */
const serve = (platform: Layer.Layer<never> = Layer.empty) =>
  HttpRouter.toWebHandler(Layer.merge(Layer.provide(routes, memoryNotes), platform), { disableLogger: true })

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
  const countSucceeded = () => Number(Effect.runSync(Metric.value(succeeded)).count)
  const before = countSucceeded()
  const { handler, dispose } = serve(Layer.succeed(Tracer.Tracer, tracer))
  const operations = [
    { action: "create", data: { text: "milk" } },
    { action: "create", data: { text: 5 } },
    { action: "delete", id: "7" },
  ]
  const response = await handler(post(operations))
  expect(response.status).toBe(207)
  expect(await response.json()).toMatchObject({
    results: [
      { status: "success", id: "1" },
      { status: "error", error: { code: "VALIDATION_ERROR", field: "text" } },
      { status: "error", error: { code: "NOT_FOUND", message: "There is no note 7" } },
    ],
  })
  expect(countSucceeded() - before).toBe(1)
  const batch = spans.find(({ name }) => name === "multistatus.batch")
  expect(batch?.attributes.get("operations")).toBe(3)
  const ofOperations = spans.filter(({ name }) => name === "multistatus.operation")
  expect(
    ofOperations.map(({ attributes }) => [
      attributes.get("multistatus.index"),
      attributes.get("multistatus.action"),
      attributes.get("multistatus.outcome"),
    ]),
  ).toEqual([
    [0, "create", "success"],
    [2, "delete", "error"],
  ])
  await dispose()
})

it("keeps to the limit of operations", async () => {
  const { handler, dispose } = serve()
  const response = await handler(post(Array.from({ length: 501 }, () => ({ action: "delete", id: "1" }))))
  expect(response.status).toBe(413)
  expect(await response.json()).toMatchObject({ code: "TOO_MANY_OPERATIONS", limit: 500 })
  await dispose()
})

it("ends a batch at its deadline", async () => {
  const program = Effect.gen(function* () {
    const endpoint = yield* notesBatch
    const body = { operations: [{ action: "create", data: { text: "slow" } }] }
    const request = {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: { _tag: "Parsed", value: body },
      isSubRequest: false,
      signal: new AbortController().signal,
      raw: undefined,
    } as const
    const answering = yield* Effect.forkChild(endpoint.handle(request), { startImmediately: true })
    yield* TestClock.adjust("10 seconds")
    return yield* Fiber.join(answering)
  })
  const answer = await Effect.runPromise(
    Effect.provide(program, Layer.mergeAll(services, memoryNotes, TestClock.layer())),
  )
  expect(JSON.parse(answer.body)).toMatchObject({ results: [{ error: { code: "DEADLINE_EXCEEDED" } }] })
})
