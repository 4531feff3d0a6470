/** Endpoints accept the actions and items of their resource, and no others. */
import { expressBatch } from "@multistatus/adapter-express"
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

const batch = expressBatch()

batch.bulk(users, "delete")
batch.operations(users, { orderBy: ({ id }) => id })
// @ts-expect-error The resource has no such action.
batch.bulk(users, "creat")
// @ts-expect-error Nothing provides the service.
batch.bulk(effectUsers, "create")
// @ts-expect-error Nothing provides the service.
batch.operations(effectUsers)

/** Where the types of a resource are not known, every action is accepted. */
export const mount = (things: Resource, action: string) => [batch.bulk(things, action), batch.operations(things)]
mount(users, "create")
