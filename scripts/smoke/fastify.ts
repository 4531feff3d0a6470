/**
 * A server on Fastify with all three kinds of endpoint.
 */
import type { AddressInfo } from "node:net"
import { fastifyBatch } from "@multistatus/adapter-fastify"
import Fastify from "fastify"
import { askThreeEndpoints, makeNotes } from "./askThreeEndpoints.ts"

const notes = makeNotes()
const app = Fastify({ forceCloseConnections: true })
await app.register(fastifyBatch)
app.batch.bulk("/notes/bulk-create", notes.resource, "create")
app.batch.operations("/notes/batch", notes.resource)
app.batch.requests("/batch")
app.get("/notes", async () => notes.all())
await app.listen({ port: 0, host: "127.0.0.1" })
await askThreeEndpoints((app.server.address() as AddressInfo).port)
await app.close()
