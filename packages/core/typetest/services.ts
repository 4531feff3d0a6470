/** The services and errors of effects are part of the type of a resource. */
import { type ActionTypesOf, type Failure, failure, resource, type Resource } from "@multistatus/core"
import { createBatch } from "@multistatus/core/adapter"
import { ActionDispatcher, BatchEndpoint } from "@multistatus/core/effect"
import { OperationsCodec } from "@multistatus/core/format"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { check, type Equal } from "./Equal.ts"

class OutOfStock extends Data.TaggedError("OutOfStock")<{ readonly left: number }> {}

class Users extends Context.Service<Users, { readonly add: (id: string) => Effect.Effect<{ readonly id: string }> }>()(
  "typetest/Users",
) {}

class Mail extends Context.Service<Mail, { readonly send: (to: string) => Effect.Effect<void, OutOfStock> }>()(
  "typetest/Mail",
) {}

const users = resource("users", {
  create: { run: (_, { id }) => Effect.flatMap(Users, (all) => all.add(id)) },
  greet: {
    run: Effect.fnUntraced(function* (_: unknown, { id }: { readonly id: string }) {
      if (id === "") return yield* Effect.fail(failure("NOT_FOUND", "None"))
      const mail = yield* Mail
      yield* mail.send(id)
      return { sent: true }
    }),
  },
  count: { run: () => 1 },
})

type Services<Of> = Of extends Resource<infer _Actions, infer Needed> ? Needed : never
check<Equal<Services<typeof users>, Users | Mail>>()
check<Equal<ActionTypesOf<typeof users>["greet"]["error"], OutOfStock>>()
check<Equal<ActionTypesOf<typeof users>["greet"]["output"], { sent: boolean }>>()
check<Equal<ActionTypesOf<typeof users>["create"]["error"], never>>()
check<Equal<Extract<ActionTypesOf<typeof users>["greet"]["output"], Failure>, never>>()

const endpoint = BatchEndpoint.make({
  name: "users",
  codec: OperationsCodec.make(),
  dispatcher: (batch) => ActionDispatcher.make(users, batch),
})
check<Equal<Effect.Services<typeof endpoint>, BatchEndpoint.EndpointServices | Users | Mail>>()

// @ts-expect-error Nothing provides the services.
createBatch().operations(users)
// @ts-expect-error Nothing provides the services.
createBatch().bulk(users, "create")

const complete = resource("users", {
  greet: { run: () => Effect.fail(new OutOfStock({ left: 0 })) },
  count: { run: () => Effect.succeed(1) },
})
createBatch().operations(complete)
