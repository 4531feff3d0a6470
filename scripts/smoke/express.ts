/**
 * A server on Express with all three kinds of endpoint.
 */
import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { expressBatch } from "@multistatus/adapter-express"
import express from "express"
import { askThreeEndpoints, makeNotes } from "./askThreeEndpoints.ts"

const notes = makeNotes()
const app = express().disable("etag")
const batch = expressBatch()
app.post("/notes/bulk-create", batch.bulk(notes.resource, "create"))
app.post("/notes/batch", batch.operations(notes.resource))
app.post("/batch", batch.requests(app))
app.get("/notes", (_request, response) => {
  response.json(notes.all())
})
const server = app.listen(0, "127.0.0.1")
await once(server, "listening")
await askThreeEndpoints((server.address() as AddressInfo).port)
server.close()
server.closeAllConnections()
await batch.close()
