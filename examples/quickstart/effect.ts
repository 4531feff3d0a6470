/**
 * An application on Effect: a repository as a service, the engine as a layer, and a server with a scope.
 */
import { createServer } from "node:http"
import {
  ActionDispatcher,
  ConcurrencyLimit,
  BatchEndpoint,
  BatchEngine,
  BatchMetrics,
  resolveOptions,
} from "@multistatus/core/effect"
import { type ActionContext, failure, resource } from "@multistatus/core"
import { OperationsCodec } from "@multistatus/core/format"
import { bytesOf, disconnectSignal, isSubRequest, writeAnswer } from "@multistatus/node-exchange"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

class Notes extends Context.Service<
  Notes,
  {
    readonly add: (text: string) => Effect.Effect<{ readonly id: string }>
    readonly remove: (id: string) => Effect.Effect<boolean>
  }
>()("example/Notes") {
  static readonly layer = Layer.sync(Notes, () => {
    const notes = new Map<string, string>()
    return Notes.of({
      add: (text) => Effect.sync(() => ({ id: String(notes.set(String(notes.size + 1), text).size) })),
      remove: (id) => Effect.sync(() => notes.delete(id)),
    })
  })
}

const notes = resource("notes", {
  create: {
    input: Schema.Struct({ text: Schema.String }),
    run: ({ text }) => Effect.flatMap(Notes, ({ add }) => add(text)),
  },
  delete: {
    run: Effect.fnUntraced(function* (_: unknown, { id }: ActionContext) {
      const { remove } = yield* Notes
      return (yield* remove(id)) ? { id } : failure("NOT_FOUND", `There is no note ${id}`)
    }),
  },
})

/** Creates the endpoint. It requires the services that its actions use. */
export const notesBatch = BatchEndpoint.make({
  ...resolveOptions({ limits: { operations: 500 } }),
  endpoint: "notes",
  metrics: BatchMetrics.recorder("notes"),
  codec: OperationsCodec.make(),
  dispatcher: (batch) => ActionDispatcher.make(notes, batch),
  concurrencyLimit: ConcurrencyLimit.make(),
})

/** The services of the application. */
export const live = Layer.mergeAll(BatchEngine.layer, Notes.layer)

/** Listens until its scope closes, and returns the server. */
export const listen = Effect.fnUntraced(function* (port: number) {
  const endpoint = yield* notesBatch
  const run = Effect.runPromiseWith(yield* Effect.context<never>())
  const server = createServer((request, response) => {
    const answer = endpoint.handle({
      method: request.method ?? "GET",
      headers: request.headers,
      body: { _tag: "Stream", bytes: bytesOf(request) },
      isSubRequest: isSubRequest(request),
      signal: disconnectSignal(response),
      raw: request,
    })
    void run(answer).then((answer) => writeAnswer(request, response, answer))
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(port, "127.0.0.1", () => resume(Effect.void))),
    () => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void))),
  )
  return server
})

if (import.meta.main) {
  const server = Layer.effectDiscard(listen(Number(process.env.PORT ?? 3000)))
  Effect.runFork(Layer.launch(Layer.provide(server, live)))
}
