import { fastifyBatch } from "@multistatus/adapter-fastify"
import { failure, resource } from "@multistatus/core"
import Fastify from "fastify"
import * as z from "zod"

const store = new Map<string, object>()
const save = (id: string, user: object) => store.set(id, { id, ...user }).get(id)
const NewUser = z.object({ name: z.string().min(1), email: z.email() })
const users = resource("users", {
  create: { input: NewUser, run: (user) => save(crypto.randomUUID(), user) },
  delete: { run: (_, { id }) => (store.delete(id) ? { id } : failure("NOT_FOUND", `User ${id} not found`)) },
})

const app = Fastify()
await app.register(fastifyBatch)
app.batch.bulk("/api/v1/users/bulk-create", users, "create")
app.batch.operations("/api/v1/users/batch", users)
app.batch.requests("/api/v1/batch")
app.get("/api/v1/users", async () => ({ users: [...store.values()] }))
await app.listen({ port: Number(process.env.PORT ?? 3000), host: "127.0.0.1" })
