/** A program that uses the types of every package. It compiles with every supported compiler. */
import { expressBatch } from "@multistatus/adapter-express"
import type { FastifyBatch } from "@multistatus/adapter-fastify"
import { failure, fromAjv, resource, type Resource } from "@multistatus/core"
import { createBatch, type HttpRequest } from "@multistatus/core/adapter"
import { ActionDispatcher, BatchEndpoint } from "@multistatus/core/effect"
import { OperationsCodec } from "@multistatus/core/format"
import type { IdempotencyStore, JobStore, QuotaStore } from "@multistatus/core/store"
import type * as NodeExchange from "@multistatus/node-exchange"
import type * as Redis from "@multistatus/store-redis"
import type * as Sql from "@multistatus/store-sql"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

declare module "@multistatus/core" {
  interface Register {
    readonly tx: { readonly insert: (name: string) => Promise<string> }
    readonly tenant: string
  }
}

class Notes extends Context.Service<
  Notes,
  { readonly add: (text: string) => Effect.Effect<{ readonly id: string }> }
>()("consumer/Notes") {}

const isNamed = (value: unknown): value is { readonly name: string } => typeof value === "object"

const users = resource("users", {
  create: {
    input: Schema.Struct({ name: Schema.String, age: Schema.NumberFromString }),
    output: Schema.Struct({ id: Schema.String, age: Schema.Number }),
    run: async ({ name, age }, { tx, tenant }) =>
      tenant === "" ? failure("NOBODY", "") : { id: await tx.insert(name), age },
  },
  rename: { input: fromAjv(isNamed), run: ({ name }, { id }) => ({ id, name }) },
  delete: { runMany: (items) => items.map(({ id }) => ({ id })) },
})

const notes = resource("notes", { create: { run: (_, { id }) => Effect.flatMap(Notes, ({ add }) => add(id)) } })

const batch = createBatch<HttpRequest>({ tenant: ({ method }) => method })
batch.bulk(users, "create", { idempotencyKey: ({ name }) => name })
batch.operations(users, {
  orderBy: (operation) => (operation.action === "create" ? operation.data.name : operation.id),
})
expressBatch().bulk(users, "rename", { idempotencyKey: ({ id, name }) => `${id} ${name}` })
// @ts-expect-error The resource has no such action.
batch.bulk(users, "creat")
// @ts-expect-error Nothing provides the service.
batch.operations(notes)
// @ts-expect-error The age must be a number.
resource("users", { create: { output: Schema.Struct({ age: Schema.Number }), run: () => ({ age: "7" }) } })

/** Where the types of a resource are not known, every action is accepted. */
export const mount = (fastify: FastifyBatch, things: Resource, action: string): void => {
  fastify.bulk("/things/bulk", things, action)
  fastify.operations("/users/batch", users)
}

/** An endpoint needs the services of its actions. */
export const endpoint = (
  options: Omit<BatchEndpoint.BatchEndpointOptions<unknown>, "dispatcher">,
): Effect.Effect<BatchEndpoint.BatchEndpoint, never, BatchEndpoint.EndpointServices | Notes> =>
  BatchEndpoint.make({
    ...options,
    codec: OperationsCodec.make(),
    dispatcher: (context) => ActionDispatcher.make(notes, context),
  })

/** Every other package has types as well. */
export interface Packages {
  readonly stores: readonly [IdempotencyStore, JobStore, QuotaStore]
  readonly exchange: keyof typeof NodeExchange
  readonly redis: keyof typeof Redis
  readonly sql: keyof typeof Sql
}
