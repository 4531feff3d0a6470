/** Endpoints accept the actions and items of their resource, and no others. */
import type { FastifyBatch } from "@multistatus/adapter-fastify"
import { resource, type Resource } from "@multistatus/core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

interface User {
  readonly email: string
}

class Users extends Context.Service<Users, { readonly add: (user: User) => Effect.Effect<User> }>()("typetest/Users") {}

const users = resource("users", {
  create: { run: (user: User) => user },
  delete: { run: (_, { id }) => ({ id }) },
})

const effectUsers = resource("users", { create: { run: () => Effect.flatMap(Users, (all) => all.add({ email: "" })) } })

/** The endpoints of an application. */
export const mount = (batch: FastifyBatch, things: Resource, action: string) => {
  batch.bulk("/users/bulk-delete", users, "delete")
  batch.operations("/users/batch", users, { orderBy: ({ id }) => id })
  // @ts-expect-error The resource has no such action.
  batch.bulk("/users/bulk-create", users, "creat")
  // @ts-expect-error Nothing provides the service.
  batch.bulk("/users/bulk-create", effectUsers, "create")
  // @ts-expect-error Nothing provides the service.
  batch.operations("/users/batch", effectUsers)
  // Where the types of a resource are not known, every action is accepted.
  batch.bulk("/things/bulk", things, action)
  batch.operations("/things/batch", things)
}
