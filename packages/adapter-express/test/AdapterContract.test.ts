import { AsyncLocalStorage } from "node:async_hooks"
import { randomUUID } from "node:crypto"
import { once } from "node:events"
import { type AddressInfo, connect } from "node:net"
import { join } from "node:path"
import { Readable } from "node:stream"
import { setTimeout as delay } from "node:timers/promises"
import { AdapterContract } from "@multistatus/core/testing"
import compression from "compression"
import cookieParser from "cookie-parser"
import cors from "cors"
import express5, { type ErrorRequestHandler, type Express, type Request, type Response } from "express"
import { rateLimit } from "express-rate-limit"
import session from "express-session"
import express4 from "express4"
import helmet from "helmet"
import morgan from "morgan"
import { expressBatch } from "../src/index.ts"

const { Fixture, payloads } = AdapterContract

const storage = new AsyncLocalStorage<{ readonly id: string; readonly parent: string | null }>()

const withMiddleware = (make: typeof express5): Express => {
  const app = make()
  app.set("trust proxy", true)
  app.use((request, _response, next) =>
    storage.run({ id: request.get("x-request-id") ?? randomUUID(), parent: storage.getStore()?.id ?? null }, next),
  )
  app.use(morgan("combined", { stream: { write: () => {} } }))
  app.use(helmet(), cors({ origin: "http://app.test", credentials: true }), compression({ threshold: 0 }))
  app.use(cookieParser("secret"), session({ secret: "secret", resave: false, saveUninitialized: false }))
  return app
}

const mountBatches = (app: Express, fixture: AdapterContract.Fixture): void => {
  const batch = expressBatch(AdapterContract.batchOptions)
  const endpoints = {
    "/batch": batch.requests(app, AdapterContract.requestsOptions),
    ...Object.fromEntries(
      Object.entries(AdapterContract.operationsEndpoints).map(([path, options]) => [
        path,
        batch.operations(fixture.resource, options),
      ]),
    ),
    ...Object.fromEntries(
      Object.entries(AdapterContract.bulkEndpoints).map(([path, [action, options]]) => [
        path,
        batch.bulk(fixture.resource, action, options),
      ]),
    ),
  }
  for (const [path, endpoint] of Object.entries(endpoints)) {
    app.post(path, endpoint)
    app.get(`${path}/describe`, endpoint.describe)
  }
}

const mountResponses = (app: Express, fixture: AdapterContract.Fixture): void => {
  const echo = (request: Request, response: Response) => {
    const { connection: _, ...headers } = request.headers
    const sorted = Object.fromEntries(Object.entries(headers).sort(([a], [b]) => (a < b ? -1 : 1)))
    const { method, originalUrl, ip, body } = request
    response.json({ method, url: originalUrl, ip, headers: sorted, body: (body as unknown) ?? null })
  }
  app.use("/echo", echo)
  app.route("/text").get((_, response) => void response.type("text/plain").send(payloads.text))
  app.all("/text", (_, response) => void response.set("allow", "GET, HEAD").sendStatus(405))
  app.get("/html", (_, response) => void response.send(payloads.html))
  app.get("/binary", (_, response) => void response.send(Buffer.from(payloads.binary)))
  app.get("/large", (_, response) => void response.json(payloads.large))
  app.get("/unicode", (_, response) => void response.json(payloads.unicode))
  app.get("/empty", (_, response) => void response.end())
  app.get("/nothing", (_, response) => void response.status(204).send())
  app.get("/health", (_, response) => void response.json({ ok: true }))
  app.get("/redirect", ({ query }, response) => response.redirect(String(query["to"] ?? "/text")))
  app.get("/chunked", ({ query }, response) => {
    const chunks = async function* () {
      for (const chunk of payloads.chunks) {
        yield chunk
        await delay(Number(query["ms"] ?? 0))
      }
    }
    Readable.from(chunks()).pipe(response.type("text/plain"))
  })
  app.get("/negotiated", (_, response) => {
    response.format({ html: () => response.send(payloads.html), json: () => response.json({ json: true }) })
  })
  app.get("/cookies", (request, response) => void response.cookie("seen", "1").json(request.cookies))
  app.get("/whoami", (request, response) => {
    if (request.get("authorization") === "Bearer alice") response.json({ who: "alice" })
    else response.set("www-authenticate", "Bearer").status(401).json({ error: "who are you?" })
  })
  app.get("/context", async (_, response) => {
    const store = storage.getStore()
    await delay(2)
    response.json({ ...store, kept: storage.getStore() === store })
  })
  app.get("/slow", async ({ query: { ms, mark } }, response) => {
    await fixture.slow(Number(ms), mark as string | undefined)
    response.json({ ms: Number(ms) })
  })
  app.get("/marks", (_, response) => void response.json(fixture.marks))
  app.get("/busy", ({ query }, response) => {
    AdapterContract.busy(Number(query["ms"]))
    response.json({ done: true })
  })
  const keyGenerator = ({ query, ip }: Request) => `${String(query["key"])} ${String(ip)}`
  const limiter = rateLimit({ limit: 3, windowMs: 60_000, keyGenerator, validate: { keyGeneratorIpFallback: false } })
  app.get("/limited", limiter, (_, response) => void response.json({ admitted: true }))
}

const mountFailures = (app: Express): void => {
  app.get("/fail/sync", () => {
    throw new Error("thrown")
  })
  app.get("/fail/async", async (_, __, next) => {
    await delay(1)
    next(new Error("passed on"))
  })
  app.get("/fail/rejected", async () => {
    await delay(1)
    throw new Error("rejected")
  })
  app.get("/fail/destroy", (_, response) => void response.destroy())
  app.get("/fail/half", (_, response) => {
    response.type("text/plain").write("half")
    setImmediate(() => response.destroy())
  })
}

const mountItems = (app: Express, fixture: AdapterContract.Fixture): void => {
  const answer = (response: Response, item: AdapterContract.Item | undefined) => {
    if (item === undefined) response.status(404).json({ error: "no such item" })
    else response.set("etag", AdapterContract.etag(item)).json(item)
  }
  app.post("/items", ({ body = {} }, response) => {
    const { id, name } = body as { readonly id?: unknown; readonly name?: unknown }
    if (typeof id !== "string" || typeof name !== "string") response.status(422).json({ error: "not valid" })
    else
      response
        .status(201)
        .location(`/items/${encodeURIComponent(id)}`)
        .json(fixture.put(id, name))
  })
  app.get("/items/:id", ({ params }, response) => answer(response, fixture.get(params.id)))
  app.put("/items/:id", ({ params, body }, response) => answer(response, fixture.put(params.id, body.name as string)))
  app.patch("/items/:id", async ({ params, body }, response) =>
    answer(response, await fixture.patch(params.id, body as AdapterContract.ItemPatch)),
  )
  app.delete("/items/:id", ({ params }, response) => {
    if (fixture.remove(params.id)) response.status(204).end()
    else answer(response, undefined)
  })
}

const onError: ErrorRequestHandler = (error, _request, response, next) => {
  if (response.headersSent) next(error)
  else response.status((error as { readonly status?: number }).status ?? 500).json({ error: (error as Error).message })
}

const makeApp = (make: typeof express5): Express => {
  const app = withMiddleware(make)
  const fixture = new Fixture()
  mountBatches(app, fixture)
  app.use(make.json(), make.urlencoded({ extended: true }), make.text({ type: "text/*" }))
  mountResponses(app, fixture)
  mountFailures(app)
  mountItems(app, fixture)
  app.get("/file", (_, response) => response.sendFile(join(import.meta.dirname, "fixtures/files/page.html")))
  app.get("/session", (request, response) => void response.json({ is: typeof request.session.id, ...request.session }))
  app.use(onError)
  return app
}

const start = async (make: typeof express5): Promise<AdapterContract.RunningServer> => {
  const server = makeApp(make).listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  const close = async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  return { url: `http://127.0.0.1:${port}`, connect: () => connect(port, "127.0.0.1"), close }
}

const requests: ReadonlyArray<AdapterContract.ContractRequest> = [
  { method: "GET", url: "/file" },
  { method: "HEAD", url: "/file" },
  { method: "GET", url: "/file", headers: { range: "bytes=2-9" } },
  { method: "GET", url: "/file", headers: { range: "bytes=90000-" } },
  { method: "GET", url: "/file", headers: { "if-modified-since": "Fri, 31 Dec 2199 23:59:59 GMT" } },
  { method: "GET", url: "/session" },
]

AdapterContract.suite("Express 4", () => start(express4 as unknown as typeof express5), { requests })
// In Express 4 a rejected handler is an unhandled rejection of the process.
const rejected = { method: "GET", url: "/fail/rejected" }
AdapterContract.suite("Express 5", () => start(express5), { requests: [...requests, rejected] })
