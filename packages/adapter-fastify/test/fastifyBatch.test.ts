import { memoryJobs, resource } from "@multistatus/core"
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

it.each(["prefix", "logLevel", "logSerializers"])("throws a TypeError for the option %s of register", async (name) => {
  const app = makeFastify()
  const registered = app.register(fastifyBatch, { [name]: "/api" }).then(() => app.ready())
  await expect(registered).rejects.toThrow(
    `"${name}" has no effect on fastifyBatch. Set it where the endpoints are added`,
  )
})

it("cancels a job for a DELETE with a content type and no body", async () => {
  const app = makeFastify()
  await app.register(fastifyBatch, { tenant: () => "a", jobs: { engine: memoryJobs(), url: "/jobs", workers: 0 } })
  app.batch.operations("/users/batch", users)
  app.batch.jobs("/jobs")
  const url = await app.listen({ port: 0, host: "127.0.0.1" })
  const headers = { "content-type": "application/json", prefer: "respond-async" }
  const body = JSON.stringify({ operations: [{ action: "create", data: {} }] })
  const accepted = await fetch(`${url}/users/batch`, { method: "POST", headers, body })
  const path = accepted.headers.get("location")!
  for (const type of ["application/json", "text/plain", "nonsense"]) {
    const cancelled = await fetch(url + path, { method: "DELETE", headers: { "content-type": type } })
    expect([type, cancelled.status < 300, ((await cancelled.json()) as { status: string }).status]).toEqual([
      type,
      true,
      "cancelled",
    ])
  }
  await app.close()
})
