/** A batch endpoint that needs `Notes`, because its actions do. */
import { failure, resource } from "@multistatus/core"
import { ActionDispatcher, BatchEndpoint, BatchEngine, BatchLimits } from "@multistatus/core/effect"
import { OperationsCodec } from "@multistatus/core/format"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

export class Notes extends Context.Service<
  Notes,
  {
    readonly add: (text: string) => Effect.Effect<{ readonly id: string }>
    readonly remove: (id: string) => Effect.Effect<boolean>
  }
>()("example/Notes") {}

const NewNote = Schema.toStandardSchemaV1(Schema.Struct({ text: Schema.String }))

export const notesBatch = Effect.gen(function* () {
  const notes = yield* Notes
  const actions = resource("notes", {
    create: { input: NewNote, run: ({ text }) => notes.add(text) },
    delete: {
      run: (_, { id }) =>
        Effect.map(notes.remove(id), (removed) => (removed ? { id } : failure("NOT_FOUND", `There is no note ${id}`))),
    },
  })
  return yield* BatchEndpoint.make({
    name: "notes",
    codec: OperationsCodec.make(),
    dispatcher: (batch) => ActionDispatcher.make(actions, batch),
  })
})

/** The engine and its services. Batches of this application have at most 500 operations. */
export const services = BatchEngine.layer.pipe(
  Layer.provide(BatchLimits.layer({ operations: 500, deadline: "10 seconds" })),
)
