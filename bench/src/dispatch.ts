/** A JSON batch of n sub-requests over HTTP, next to n single requests and to a loop over `inject` by hand. */
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"

import { expressBatch } from "@multistatus/adapter-express"
import { fastifyBatch } from "@multistatus/adapter-fastify"
import express from "express"
import Fastify from "fastify"
import { Pool } from "undici"

import { type Case, measure, print } from "./Rounds.ts"

const payload = { name: "Alice Smith", email: "alice.smith@example.com", tags: ["a", "b"], age: 42 }
const limits = { operations: 10_000 }

const fastify = Fastify()
await fastify.register(fastifyBatch, { limits })
fastify.post("/users", (request, reply) => reply.code(201).send({ id: "u_1", ...(request.body as object) }))
fastify.batch.requests("/batch")
fastify.post("/by-hand", { bodyLimit: 100 * 1024 * 1024 }, async (request) => {
  const { requests } = request.body as {
    readonly requests: ReadonlyArray<{ readonly id: string; readonly body: object }>
  }
  const responses = []
  for (const { id, body } of requests) {
    const reply = await fastify.inject({ method: "POST", url: "/users", payload: body })
    responses.push({ id, status: reply.statusCode, body: reply.json() as unknown })
  }
  return { responses }
})
await fastify.listen({ port: 0, host: "127.0.0.1" })

const app = express()
const batch = expressBatch({ limits })
app.post("/batch", batch.requests(app))
app.post("/pre-parsed", batch.requests(app, { preParsed: true }))
app.use(express.json())
app.post("/users", (request, response) => void response.status(201).json({ id: "u_1", ...(request.body as object) }))
const expressServer: Server = createServer(app).listen(0, "127.0.0.1")
await new Promise((resolve) => expressServer.once("listening", resolve))

const clientOf = (server: Server) =>
  new Pool(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { connections: 1, pipelining: 1 })

const post = async (client: Pool, path: string, body: string): Promise<string> => {
  const response = await client.request({ method: "POST", path, body, headers: { "content-type": "application/json" } })
  const text = await response.body.text()
  if (response.statusCode >= 300) throw new Error(`${path} answered ${response.statusCode}: ${text}`)
  return text
}

const single = JSON.stringify(payload)
const envelope = (count: number) =>
  JSON.stringify({
    requests: Array.from({ length: count }, (_, index) => ({
      id: `r${index}`,
      method: "POST",
      url: `/users?n=${index}`,
      body: payload,
    })),
  })

const fastifyClient = clientOf(fastify.server)
const expressClient = clientOf(expressServer)

const singles = async (client: Pool, count: number): Promise<void> => {
  for (let index = 0; index < count; index++) await post(client, "/users", single)
}

for (const count of [10, 100, 1000]) {
  const body = envelope(count)
  const cases: ReadonlyArray<Case> = [
    { name: "Fastify: one batch", run: () => post(fastifyClient, "/batch", body) },
    { name: "Fastify: one batch by hand, a loop over inject", run: () => post(fastifyClient, "/by-hand", body) },
    { name: "Fastify: single requests, keep-alive, sequential", run: () => singles(fastifyClient, count) },
    { name: "Express: one batch", run: () => post(expressClient, "/batch", body) },
    { name: "Express: one batch, bodies pre-parsed", run: () => post(expressClient, "/pre-parsed", body) },
    { name: "Express: single requests, keep-alive, sequential", run: () => singles(expressClient, count) },
  ]
  print(`${count} sub-requests`, cases, await measure(cases, { rounds: 9, repeat: Math.max(1, 300 / count) }))
}

await Promise.all([fastifyClient.close(), expressClient.close()])
await fastify.close()
await batch.close()
expressServer.close()
