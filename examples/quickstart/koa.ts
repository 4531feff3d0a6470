/** An adapter for Koa, and an application that uses it. */
import { AsyncLocalStorage } from "node:async_hooks"
import { type BatchOptions, failure, resource } from "@multistatus/core"
import { createBatch, type Endpoint, type Send } from "@multistatus/core/adapter"
import {
  bytesOf,
  disconnectSignal,
  type Exchange,
  isSubRequest,
  makeExchange,
  send,
  writeAnswer,
} from "@multistatus/node-exchange"
import Koa, { type Context } from "koa"

const koaBatch = (app: Koa, options: BatchOptions<Context> = {}) => {
  const batch = createBatch<Context>(options, { captureContext: () => AsyncLocalStorage.snapshot() })
  let exchange: Exchange | undefined
  const sendThrough: Send = (request, call, { request: outer }) => {
    // `callback()` composes the middleware, so all of it must be in place: call it with the first batch.
    exchange ??= makeExchange({ handle: app.callback() })
    return send(exchange, request, (outer as Context).req, (abort) => call.onAbort(abort))
  }
  return { ...batch, requests: (own?: Parameters<typeof batch.requests>[1]) => batch.requests(sendThrough, own) }
}

const answer = async (ctx: Context, endpoint: Endpoint): Promise<void> => {
  ctx.respond = false
  const response = await endpoint.handle({
    method: ctx.method,
    headers: ctx.headers,
    body: { _tag: "Stream", bytes: bytesOf(ctx.req) },
    isSubRequest: isSubRequest(ctx.req),
    signal: disconnectSignal(ctx.res),
    raw: ctx,
  })
  writeAnswer(ctx.req, ctx.res, response)
}

const app = new Koa()
const batch = koaBatch(app)
const notes = new Map<string, unknown>()
const endpoints = new Map([
  ["/batch", batch.requests()],
  [
    "/notes/batch",
    batch.operations(
      resource("notes", {
        create: { run: (note) => ({ id: String(notes.set(String(notes.size + 1), note).size) }) },
        delete: { run: (_, { id }) => (notes.delete(id) ? { id } : failure("NOT_FOUND", `There is no note ${id}`)) },
      }),
    ),
  ],
])
app.use(async (ctx) => {
  const endpoint = ctx.method === "POST" ? endpoints.get(ctx.path) : undefined
  if (endpoint !== undefined) await answer(ctx, endpoint)
  else if (ctx.path === "/notes") ctx.body = { notes: [...notes.values()] }
})
app.listen(Number(process.env.PORT ?? 3000), "127.0.0.1")
