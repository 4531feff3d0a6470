import { resource } from "@multistatus/core"
import makeFastify from "fastify"
import { expect, it } from "vitest"
import { fastifyBatch } from "../src/index.ts"

const users = resource("users", { create: { run: () => ({}) } })

it("passes errors of the application's hooks to the application's error handler", async () => {
  const app = makeFastify()
  app.setErrorHandler(async (error: Error, _, reply) => reply.code(418).send({ own: error.message }))
  app.addHook("preHandler", async () => {
    throw new Error("from a hook")
  })
  await app.register(fastifyBatch, {})
  app.batch.requests("/batch")
  const url = await app.listen({ port: 0, host: "127.0.0.1" })
  const headers = { "content-type": "application/json" }
  const answer = await fetch(`${url}/batch`, { method: "POST", headers, body: "{}" })
  expect(answer.status).toBe(418)
  expect(await answer.json()).toEqual({ own: "from a hook" })
  await app.close()
})

it("throws a TypeError if the path of an endpoint is missing", async () => {
  const app = makeFastify()
  await app.register(fastifyBatch, {})
  const { batch } = app
  const path = "The first argument must be the path of the endpoint"
  expect(() => batch.bulk(users as never, "create" as never, {} as never)).toThrow(path)
  expect(() => batch.operations(users as never, {} as never)).toThrow(path)
  expect(() => batch.requests(undefined as never)).toThrow(path)
  expect(() => batch.jobs(undefined as never)).toThrow(path)
  await app.close()
})

it("throws a TypeError for the routes of jobs if jobs are not configured", async () => {
  const app = makeFastify()
  await app.register(fastifyBatch, {})
  expect(() => app.batch.jobs("/jobs")).toThrow('pass the option "jobs" to fastifyBatch')
  await app.close()
})
