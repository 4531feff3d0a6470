import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify"

import { apiRoutes } from "./apiRoutes.ts"
import type { Configuration } from "./Configuration.ts"
import { drain, portOf, trackUnused } from "./connections.ts"
import { mountBatches } from "./fastifyBatches.ts"
import type { Host } from "./Host.ts"
import { problemOf, problemType } from "./Problem.ts"
import { publicRoutes } from "./publicRoutes.ts"
import { requireJson, routeNotFound, tenantOf } from "./requestChecks.ts"
import type { Route } from "./Route.ts"
import { databaseCheck, openStores } from "./stores.ts"
import type { Users } from "./Users.ts"

/** The reference application on Fastify 5. */
export const fastifyHost = async (users: Users, configuration: Configuration): Promise<Host<FastifyInstance>> => {
  const stores = await openStores(users, configuration)
  const open = publicRoutes(configuration, [databaseCheck(users), ...stores.checks])
  const app = Fastify({
    bodyLimit: configuration.maxBodyBytes,
    routerOptions: { maxParamLength: 1024 },
    frameworkErrors: sendProblem,
  })
  app.setErrorHandler(sendProblem)
  app.setNotFoundHandler((request) => {
    throw routeNotFound(request.method, request.originalUrl)
  })
  app.addHook("onRequest", async (request) => {
    if (!open.some(({ path }) => path === request.routeOptions.url)) tenantOf(request.headers)
    // In this hook, because the handler runs only after the body was parsed. `:id` matches the empty string, too.
    if (request.is404 || idOf(request) === "") throw routeNotFound(request.method, request.originalUrl)
  })
  for (const route of open) app[route.method](route.path, handlerOf(route))
  await mountBatches(app, users, stores, configuration)
  await app.register(async (scope) => {
    parseJson(scope)
    scope.addHook("onRequest", async (request) => requireJson(request.headers))
    for (const route of apiRoutes(users)) scope[route.method](route.path, handlerOf(route))
  })
  const unused = trackUnused(app.server)
  return {
    app,
    listen: async (port) => {
      await app.listen({ port, host: "127.0.0.1" })
      return portOf(app.server)
    },
    close: async () => {
      await drain(app.server, unused, app.close())
      await stores.close()
    },
  }
}

// An empty body is no body, whatever the content type says. The schemas drop `__proto__`.
const parseJson = (scope: FastifyInstance): void => {
  const parse = scope.getDefaultJsonParser("ignore", "ignore")
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser("application/json", { parseAs: "string" }, (request, body, done) => {
    if (body === "") done(null, undefined)
    else void parse(request, String(body), done)
  })
}

const handlerOf = (route: Route) => async (request: FastifyRequest, reply: FastifyReply) => {
  const { status, headers, body, html } = await route.answer({
    method: request.method,
    url: request.originalUrl,
    id: idOf(request) ?? "",
    query: request.query as Readonly<Record<string, unknown>>,
    headers: request.headers,
    address: request.ip,
    body: request.body,
  })
  reply.code(status)
  if (headers !== undefined) reply.headers(headers)
  return html === undefined ? reply.send(body) : reply.type("text/html; charset=utf-8").send(html)
}

const idOf = (request: FastifyRequest) => (request.params as { readonly id?: string }).id

const sendProblem = (error: unknown, _request: FastifyRequest, reply: FastifyReply): void => {
  const problem = problemOf(error)
  // As bytes: Fastify would add a charset parameter to text, which this media type does not define.
  void reply
    .code(problem.status)
    .header("content-type", problemType)
    .send(Buffer.from(JSON.stringify(problem)))
}
