/** The test application of `AdapterContract` on Koa, without the batch endpoints. */
import { AsyncLocalStorage } from "node:async_hooks"
import { randomUUID } from "node:crypto"
import { Readable } from "node:stream"
import { text } from "node:stream/consumers"
import { setTimeout as delay } from "node:timers/promises"
import { AdapterContract } from "@multistatus/core/testing"
import Koa, { type Context } from "koa"

const { payloads } = AdapterContract
const storage = new AsyncLocalStorage<{ readonly id: string; readonly parent: string | null }>()

type Route = (ctx: Context, query: Readonly<Record<string, string>>) => unknown

const respond = (ctx: Context, status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): void => {
  ctx.set(headers)
  ctx.body = body
  ctx.status = status
}

const bodyOf = async (ctx: Context): Promise<unknown> => {
  const sent = await text(ctx.req)
  if (sent === "" || ctx.is("json", "+json") === false) return sent === "" ? null : sent
  try {
    return JSON.parse(sent) as unknown
  } catch {
    return ctx.throw(400, "not JSON")
  }
}

const simpleRoutes = (fixture: AdapterContract.Fixture): Readonly<Record<string, Route>> => ({
  text: (ctx) =>
    ["GET", "HEAD"].includes(ctx.method)
      ? respond(ctx, 200, payloads.text)
      : respond(ctx, 405, "no", { allow: "GET, HEAD" }),
  html: (ctx) => respond(ctx, 200, payloads.html),
  binary: (ctx) => respond(ctx, 200, Buffer.from(payloads.binary)),
  large: (ctx) => respond(ctx, 200, payloads.large),
  unicode: (ctx) => respond(ctx, 200, payloads.unicode),
  empty: (ctx) => respond(ctx, 200, ""),
  nothing: (ctx) => respond(ctx, 204, null),
  health: (ctx) => respond(ctx, 200, { ok: true }),
  redirect: (ctx, { to = "/text" }) => ctx.redirect(to),
  chunked: (ctx, { ms = "0" }) => {
    const chunks = async function* () {
      for (const chunk of payloads.chunks) yield await delay(Number(ms), chunk)
    }
    respond(ctx, 200, Readable.from(chunks()), { "content-type": "text/plain" })
  },
  negotiated: (ctx) => {
    const type = ctx.accepts("html", "json")
    if (type === false) respond(ctx, 406, "not acceptable")
    else respond(ctx, 200, type === "html" ? payloads.html : { json: true })
  },
  cookies: (ctx) => respond(ctx, 200, { cookie: ctx.get("cookie") }, { "set-cookie": "seen=1; HttpOnly" }),
  whoami: (ctx) =>
    ctx.get("authorization") === "Bearer alice"
      ? respond(ctx, 200, { who: "alice" })
      : respond(ctx, 401, { error: "who are you?" }, { "www-authenticate": "Bearer" }),
  context: async (ctx) => {
    const store = storage.getStore()
    await delay(2)
    respond(ctx, 200, { ...store, kept: storage.getStore() === store })
  },
  slow: async (ctx, { ms, mark }) => {
    await fixture.slow(Number(ms), mark)
    respond(ctx, 200, { ms: Number(ms) })
  },
  marks: (ctx) => respond(ctx, 200, fixture.marks),
  busy: (ctx, { ms }) => respond(ctx, 200, { done: AdapterContract.busy(Number(ms)) }),
  limited: (ctx, { key = "" }) => respond(ctx, fixture.admit(key) ? 200 : 429, { key }),
  "fail/sync": () => {
    throw new Error("thrown")
  },
  "fail/async": () => delay(1).then(() => Promise.reject(new Error("rejected"))),
  "fail/destroy": (ctx) => {
    ctx.respond = false
    ctx.res.destroy()
  },
  "fail/half": (ctx) => {
    ctx.respond = false
    ctx.res.write("half")
    setImmediate(() => ctx.res.destroy())
  },
})

const echo = async (ctx: Context): Promise<void> => {
  const { connection: _, ...headers } = ctx.headers
  const sorted = Object.fromEntries(Object.entries(headers).sort(([a], [b]) => (a < b ? -1 : 1)))
  const { method, originalUrl: url, ip } = ctx
  respond(ctx, 200, { method, url, ip, headers: sorted, body: await bodyOf(ctx) })
}

const itemRoute = async (ctx: Context, fixture: AdapterContract.Fixture, id: string): Promise<void> => {
  if (ctx.method === "DELETE") return fixture.remove(id) ? respond(ctx, 204, null) : respond(ctx, 404, "no such item")
  const input = (await bodyOf(ctx)) as AdapterContract.ItemPatch
  const current = ctx.method === "PUT" ? fixture.put(id, input.name!) : fixture.get(id)
  const item = ctx.method === "PATCH" ? await fixture.patch(id, input) : current
  if (item === undefined) return respond(ctx, 404, "no such item")
  respond(ctx, 200, item, { etag: AdapterContract.etag(item) })
  if (ctx.fresh) ctx.status = 304
}

const createItem = async (ctx: Context, fixture: AdapterContract.Fixture): Promise<void> => {
  const { id, name } = ((await bodyOf(ctx)) ?? {}) as Readonly<Record<string, unknown>>
  if (typeof id !== "string" || typeof name !== "string") return respond(ctx, 422, { error: "not valid" })
  respond(ctx, 201, fixture.put(id, name), { location: `/items/${encodeURIComponent(id)}` })
}

const segmentsOf = (ctx: Context): ReadonlyArray<string> => {
  try {
    return ctx.path.split("/").flatMap((segment) => (segment === "" ? [] : [decodeURIComponent(segment)]))
  } catch {
    return ctx.throw(400, "badly encoded")
  }
}

/** Creates the application. It first calls `serveBatch`, which returns whether it has responded. */
export const koaApplication = (
  fixture: AdapterContract.Fixture,
  serveBatch: (ctx: Context, path: string) => Promise<boolean>,
): Koa => {
  const app = new Koa({ proxy: true })
  app.silent = true
  const routes = new Map(Object.entries(simpleRoutes(fixture)))
  app.use((ctx, next) => {
    const id = ctx.get("x-request-id") === "" ? randomUUID() : ctx.get("x-request-id")
    return storage.run({ id, parent: storage.getStore()?.id ?? null }, next)
  })
  app.use(async (ctx) => {
    const segments = segmentsOf(ctx)
    const path = `/${segments.join("/")}`
    if (await serveBatch(ctx, path)) return
    const route = routes.get(segments.join("/"))
    if (segments[0] === "echo") await echo(ctx)
    else if (path === "/items" && ctx.method === "POST") await createItem(ctx, fixture)
    else if (segments[0] === "items" && segments[1] !== undefined) await itemRoute(ctx, fixture, segments[1])
    else await route?.(ctx, ctx.query as Readonly<Record<string, string>>)
  })
  return app
}
