import { AsyncLocalStorage } from "node:async_hooks"
import { randomUUID } from "node:crypto"
import { type AddressInfo, connect } from "node:net"
import { Readable } from "node:stream"
import { setTimeout as delay } from "node:timers/promises"
import compress from "@fastify/compress"
import cookie from "@fastify/cookie"
import cors from "@fastify/cors"
import helmet from "@fastify/helmet"
import rateLimit from "@fastify/rate-limit"
import session from "@fastify/session"
import { AdapterContract } from "@multistatus/core/testing"
import makeFastify, { type FastifyInstance, type FastifyReply } from "fastify"
import { fastifyBatch } from "../src/index.ts"

const { Fixture, payloads } = AdapterContract

const storage = new AsyncLocalStorage<{ readonly id: string; readonly parent: string | null }>()

type Query = { readonly Querystring: Readonly<Record<string, string | undefined>> }
type Id<Body = unknown> = { readonly Params: { readonly id: string }; readonly Body: Body }

const withMiddleware = async (): Promise<FastifyInstance> => {
  const app = makeFastify({
    trustProxy: true,
    routerOptions: { ignoreDuplicateSlashes: true, ignoreTrailingSlash: true },
  })
  const secret = "a secret of at least thirty-two characters"
  app.addHook("onRequest", (request, _reply, done) => {
    const id = (request.headers["x-request-id"] as string | undefined) ?? randomUUID()
    storage.run({ id, parent: storage.getStore()?.id ?? null }, done)
  })
  await app.register(helmet)
  await app.register(cors, { origin: "http://app.test", credentials: true, strictPreflight: false })
  await app.register(compress, { threshold: 0 })
  await app.register(cookie, { secret })
  await app.register(session, { secret, saveUninitialized: false })
  await app.register(rateLimit, { global: false })
  return app
}

const mountBatches = async (app: FastifyInstance, fixture: AdapterContract.Fixture): Promise<void> => {
  await app.register(fastifyBatch, AdapterContract.batchOptions)
  app.batch.requests("/batch", AdapterContract.requestsOptions)
  for (const [path, options] of Object.entries(AdapterContract.operationsEndpoints)) {
    app.batch.operations(path, fixture.resource, options)
  }
  for (const [path, [action, options]] of Object.entries(AdapterContract.bulkEndpoints)) {
    app.batch.bulk(path, fixture.resource, action, options)
  }
}

const mountResponses = (app: FastifyInstance, fixture: AdapterContract.Fixture): void => {
  for (const url of ["/echo", "/echo/*"]) {
    app.all(url, async ({ method, originalUrl, ip, body, headers: { connection: _, ...headers } }) => {
      const sorted = Object.fromEntries(Object.entries(headers).sort(([a], [b]) => (a < b ? -1 : 1)))
      return { method, url: originalUrl, ip, headers: sorted, body: body ?? null }
    })
  }
  app.get("/text", async (_, reply) => reply.type("text/plain").send(payloads.text))
  app.route({
    method: ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
    url: "/text",
    handler: async (_, reply) => reply.code(405).header("allow", "GET, HEAD").send(),
  })
  app.get("/html", async (_, reply) => reply.type("text/html").send(payloads.html))
  app.get("/binary", async () => Buffer.from(payloads.binary))
  app.get("/large", async () => payloads.large)
  app.get("/unicode", async () => payloads.unicode)
  app.get("/empty", async (_, reply) => reply.send())
  app.get("/nothing", async (_, reply) => reply.code(204).send())
  app.get("/health", { logLevel: "silent" }, async () => ({ ok: true }))
  app.get<Query>("/redirect", async ({ query }, reply) => reply.redirect(query["to"] ?? "/text"))
  app.get<Query>("/chunked", async ({ query }, reply) => {
    const chunks = async function* () {
      for (const chunk of payloads.chunks) {
        yield chunk
        await delay(Number(query["ms"] ?? 0))
      }
    }
    return reply.type("text/plain").send(Readable.from(chunks()))
  })
  app.get("/negotiated", async ({ headers: { accept = "*/*" } }, reply) => {
    if (/text\/html|\*\/\*/.test(accept)) return reply.type("text/html").send(payloads.html)
    return accept.includes("application/json") ? { json: true } : reply.code(406).send()
  })
  app.get("/cookies", async ({ cookies }, reply) => reply.setCookie("seen", "1").send(cookies))
  app.get("/whoami", async ({ headers: { authorization } }, reply) => {
    if (authorization === "Bearer alice") return { who: "alice" }
    return reply.code(401).header("www-authenticate", "Bearer").send({ error: "who are you?" })
  })
  app.get("/context", async () => {
    const store = storage.getStore()
    await delay(2)
    return { ...store, kept: storage.getStore() === store }
  })
  app.get<Query>("/slow", async ({ query: { ms, mark } }) => {
    await fixture.slow(Number(ms), mark)
    return { ms: Number(ms) }
  })
  app.get("/marks", async () => fixture.marks)
  app.get<Query>("/busy", (request, reply) => {
    AdapterContract.busy(Number(request.query["ms"]))
    void reply.send({ done: true })
  })
  const limit = {
    max: 3,
    timeWindow: 60_000,
    keyGenerator: ({ query, ip }: { readonly query: unknown; readonly ip: string }) =>
      `${String((query as Query["Querystring"])["key"])} ${ip}`,
  }
  app.get("/limited", { config: { rateLimit: limit } }, async () => ({ admitted: true }))
}

const mountFailures = (app: FastifyInstance): void => {
  app.get("/fail/sync", () => {
    throw new Error("thrown")
  })
  app.get("/fail/async", async () => {
    await delay(1)
    throw new Error("rejected")
  })
  app.get("/fail/destroy", (_, reply) => {
    reply.hijack()
    reply.raw.destroy()
  })
  app.get("/fail/half", (_, reply) => {
    reply.hijack()
    reply.raw.write("half")
    setImmediate(() => reply.raw.destroy())
  })
}

const mountItems = (app: FastifyInstance, fixture: AdapterContract.Fixture): void => {
  const answer = (reply: FastifyReply, item: AdapterContract.Item | undefined) => {
    if (item === undefined) return reply.code(404).send({ error: "no such item" })
    const etag = AdapterContract.etag(item)
    reply.header("etag", etag)
    return reply.request.headers["if-none-match"] === etag ? reply.code(304).send() : reply.send(item)
  }
  const input = {
    type: "object",
    required: ["id", "name"],
    properties: { id: { type: "string" }, name: { type: "string" } },
  }
  app.post<{ readonly Body: { readonly id: string; readonly name: string } }>(
    "/items",
    { schema: { body: input } },
    async ({ body: { id, name } }, reply) =>
      reply
        .code(201)
        .header("location", `/items/${encodeURIComponent(id)}`)
        .send(fixture.put(id, name)),
  )
  app.get<Id>("/items/:id", async ({ params }, reply) => answer(reply, fixture.get(params.id)))
  app.put<Id<AdapterContract.Item>>("/items/:id", async ({ params, body }, reply) =>
    answer(reply, fixture.put(params.id, body.name)),
  )
  app.patch<Id<AdapterContract.ItemPatch>>("/items/:id", async ({ params, body }, reply) =>
    answer(reply, await fixture.patch(params.id, body)),
  )
  app.delete<Id>("/items/:id", async ({ params }, reply) =>
    fixture.remove(params.id) ? reply.code(204).send() : answer(reply, undefined),
  )
}

const start = async (): Promise<AdapterContract.RunningServer> => {
  const app = await withMiddleware()
  const fixture = new Fixture()
  await mountBatches(app, fixture)
  mountResponses(app, fixture)
  mountFailures(app)
  mountItems(app, fixture)
  app.get("/session", async ({ session }) => ({ is: typeof session.sessionId }))
  const url = await app.listen({ port: 0, host: "127.0.0.1" })
  const { port } = app.server.address() as AddressInfo
  return { url, connect: () => connect(port, "127.0.0.1"), close: () => app.close() }
}

AdapterContract.suite("Fastify 5", start, { requests: [{ method: "GET", url: "/session" }] })
