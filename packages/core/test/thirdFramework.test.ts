import { once } from "node:events"
import { type AddressInfo, connect } from "node:net"
import { createBatch, type Endpoint, type Send } from "@multistatus/core/adapter"
import { AdapterContract } from "@multistatus/core/testing"
import { bytesOf, type Exchange, disconnectSignal, isSubRequest, makeExchange } from "@multistatus/node-exchange"
import { nodePlatform, send, writeAnswer } from "@multistatus/node-exchange"
import type { Context } from "koa"
import { koaApplication } from "./support/koaApplication.ts"

const { batchOptions, bulkEndpoints, Fixture, operationsEndpoints, requestsOptions } = AdapterContract

const handleBatch = async (ctx: Context, endpoint: Endpoint): Promise<void> => {
  const { method, req, res } = ctx
  const body = { _tag: "Stream", bytes: bytesOf(req) } as const
  const request = {
    method,
    headers: req.headers,
    body,
    isSubRequest: isSubRequest(req),
    signal: disconnectSignal(res),
    raw: ctx,
  }
  writeAnswer(req, res, await endpoint.handle(request))
}

const makeApplication = () => {
  const fixture = new Fixture()
  const endpoints = new Map<string, Endpoint>()
  const app = koaApplication(fixture, async (ctx, path) => {
    const endpoint = endpoints.get(path.replace(/\/describe$/, ""))
    if (endpoint === undefined || ctx.method !== (path.endsWith("/describe") ? "GET" : "POST")) return false
    ctx.respond = false
    if (ctx.method === "POST") await handleBatch(ctx, endpoint)
    else writeAnswer(ctx.req, ctx.res, endpoint.describe())
    return true
  })
  // `callback` composes the middleware registered so far, so it is called with the first batch.
  let exchange: Exchange | undefined
  const sendThrough: Send = (request, call, { request: outer }) => {
    exchange ??= makeExchange({ handle: app.callback() })
    return send(exchange, request, (outer as Context).req, (abort) => call.onAbort(abort))
  }
  const batch = createBatch<Context>(batchOptions, nodePlatform)
  endpoints.set("/batch", batch.requests(sendThrough, requestsOptions))
  const { resource } = fixture
  Object.entries(operationsEndpoints).forEach(([path, own]) => endpoints.set(path, batch.operations(resource, own)))
  Object.entries(bulkEndpoints).forEach(([path, own]) => endpoints.set(path, batch.bulk(resource, ...own)))
  return app
}

AdapterContract.suite("Koa 3, bound in this file", async () => {
  const server = makeApplication().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  const close = () => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  }
  return { url: `http://127.0.0.1:${port}`, connect: () => connect(port, "127.0.0.1"), close }
})
