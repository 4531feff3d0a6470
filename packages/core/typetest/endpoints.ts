/** Endpoints accept the actions, items and outputs of their resource, and no others. */
import { type ActionTypesOf, failure, resource, type Resource } from "@multistatus/core"
import { createBatch } from "@multistatus/core/adapter"
import * as Schema from "effect/Schema"
import * as z from "zod"
import { check, type Equal } from "./Equal.ts"

const users = resource("users", {
  create: { input: z.object({ email: z.string(), age: z.number().default(0) }), run: (user) => user },
  update: { input: z.object({ name: z.string() }), run: (patch, { id }) => ({ id, ...patch }) },
  delete: { run: (_, { id }) => ({ id }) },
})

const batch = createBatch()

batch.bulk(users, "create", {
  idempotencyKey: (user) => {
    check<Equal<typeof user, { email: string; age?: number | undefined }>>()
    return user.email
  },
  orderBy: ({ data }) => data.email,
})
batch.bulk(users, "update", {
  idempotencyKey: ({ id, name }) => `${id} ${name}`,
  orderBy: ({ id, data: { name } }) => id ?? name,
})
batch.bulk(users, "delete", {
  idempotencyKey: (item) => {
    check<Equal<typeof item, unknown>>()
    return undefined
  },
})
batch.operations(users, {
  orderBy: (operation) => (operation.action === "create" ? operation.data.email : operation.id),
})

// @ts-expect-error The resource has no such action.
batch.bulk(users, "creat")
// @ts-expect-error The item has no such member.
batch.bulk(users, "create", { idempotencyKey: (user) => user.emial })
// @ts-expect-error Only the action tells which members the data has.
batch.operations(users, { orderBy: ({ data }) => data.email })

/** Where the types of a resource are not known, every action and item is accepted. */
export const mount = (things: Resource, action: string) => {
  batch.bulk(things, action, { idempotencyKey: (item) => String(item) })
  batch.operations(things, { orderBy: ({ id }) => id })
}
mount(users, "create")
const anyUsers: Resource = users
mount(anyUsers, "archive")

const Output = z.object({ id: z.string(), size: z.number().default(1) })

const outputs = resource("outputs", {
  plain: { output: Output, run: (_, { id }) => (id === "" ? failure("NONE", "None") : { id }) },
  promise: { output: Output, run: async (_, { id }) => ({ id, size: 2 }) },
  many: { output: Output, runMany: (items) => items.map(({ id }) => ({ id })) },
})
check<Equal<ActionTypesOf<typeof outputs>["promise"]["output"], { id: string; size: number }>>()

// @ts-expect-error The id must be a string.
resource("outputs", { plain: { output: Output, run: () => ({ id: 1 }) } })
// @ts-expect-error The id must be a string.
resource("outputs", { promise: { output: Output, run: async () => ({ id: 1 }) } })
// @ts-expect-error The id must be a string.
resource("outputs", { many: { output: Output, runMany: (items) => items.map(({ index }) => ({ id: index })) } })
// @ts-expect-error An action returns the decoded value, a Date.
resource("outputs", { effect: { output: Schema.Date, run: () => "2026-01-01" } })
