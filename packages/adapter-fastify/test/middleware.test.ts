import fastifyExpress from "@fastify/express"
import fastifyMiddie from "@fastify/middie"
import makeFastify, { type FastifyInstance } from "fastify"
import { afterEach, describe, expect, it } from "vitest"
import { fastifyBatch } from "../src/index.ts"

type Middleware = (
  request: object,
  response: { setHeader: (name: string, value: string) => void },
  next: () => void,
) => void

interface WithMiddleware {
  readonly use: (middleware: Middleware) => void
}

const apps: Array<FastifyInstance> = []
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close()
})

const start = async (plugin: typeof fastifyExpress | typeof fastifyMiddie, register: "before" | "after") => {
  const app = makeFastify()
  apps.push(app)
  if (register === "before") await app.register(fastifyBatch, { limits: { deadline: 2_000 } })
  await app.register(plugin)
  const { use } = app as unknown as WithMiddleware
  use.call(app, (_request, response, next) => {
    response.setHeader("etag", '"from-middleware"')
    next()
  })
  if (register === "after") await app.register(fastifyBatch, { limits: { deadline: 2_000 } })
  app.get("/plain", async () => ({ plain: true }))
  app.post("/echo", async ({ body }, reply) => reply.code(201).send({ body }))
  app.batch.requests("/batch")
  return app.listen({ port: 0, host: "127.0.0.1" })
}

describe.each([
  ["@fastify/express", fastifyExpress],
  ["@fastify/middie", fastifyMiddie],
])("middleware of %s", (_name, plugin) => {
  it.each(["before", "after"] as const)(
    "lets a sub-request answer as alone, registered %s the batches",
    async (register) => {
      const url = await start(plugin as typeof fastifyExpress, register)
      const headers = { "content-type": "application/json" }
      const alone = await fetch(`${url}/plain`)
      expect([alone.status, await alone.json(), alone.headers.get("etag")]).toEqual([
        200,
        { plain: true },
        '"from-middleware"',
      ])
      const requests = [
        { id: "get", method: "GET", url: "/plain" },
        { id: "post", method: "POST", url: "/echo", body: { a: 1 } },
        { id: "none", method: "GET", url: "/nowhere" },
      ]
      const answer = await fetch(`${url}/batch`, { method: "POST", headers, body: JSON.stringify({ requests }) })
      expect(await answer.json()).toMatchObject({
        responses: [
          { id: "get", status: 200, headers: { etag: '"from-middleware"' }, body: { plain: true } },
          { id: "post", status: 201, body: { body: { a: 1 } } },
          { id: "none", status: 404 },
        ],
      })
    },
  )
})
