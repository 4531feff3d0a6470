import { expressBatch } from "@multistatus/adapter-express"
import { failure, resource } from "@multistatus/core"
import express from "express"
import * as z from "zod"

const store = new Map<string, object>()
const save = (id: string, user: object) => store.set(id, { id, ...user }).get(id)
const NewUser = z.object({ name: z.string().min(1), email: z.email() })
const users = resource("users", {
  create: { input: NewUser, run: (user) => save(crypto.randomUUID(), user) },
  delete: { run: (_, { id }) => (store.delete(id) ? { id } : failure("NOT_FOUND", `User ${id} not found`)) },
})

const app = express()
const batch = expressBatch()
app.post("/api/v1/users/bulk-create", batch.bulk(users, "create"))
app.post("/api/v1/users/batch", batch.operations(users))
app.post("/api/v1/batch", batch.requests(app))
app.get("/api/v1/users", (_request, response) => void response.json({ users: [...store.values()] }))
app.listen(Number(process.env.PORT ?? 3000), "127.0.0.1")
