import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify"

import { requireJson, routeNotFound, tenantOf } from "./admission.ts"
import type { Configuration } from "./Configuration.ts"
import { mountBatches } from "./fastifyBatches.ts"
import { drain, type Host, portOf, watchUnused } from "./Host.ts"
import { problemOf, problemType } from "./Problem.ts"
import { health, type Route, routes } from "./routes.ts"
import type { Users } from "./Users.ts"

/** The reference application on Fastify 5. */
export const fastifyHost = async (users: Users, configuration: Configuration): Promise<Host<FastifyInstance>> => {
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
    if (request.routeOptions.url !== health.path) tenantOf(request.headers)
    // Here rather than in the handler, which runs only after the body was parsed. `:id` matches nothing at all too.
    if (request.is404 || idOf(request) === "") throw routeNotFound(request.method, request.originalUrl)
  })
  app[health.method](health.path, handlerOf(health))
  const stores = await mountBatches(app, users, configuration)
  await app.register(async (scope) => {
    parseJson(scope)
    scope.addHook("onRequest", async (request) => requireJson(request.headers))
    for (const route of routes(users)) scope[route.method](route.path, handlerOf(route))
  })
  const unused = watchUnused(app.server)
  return {
    app,
    notice: stores.notice,
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

// Without a body there is nothing to parse, whatever the content type says. `__proto__` is left for the schemas to drop.
const parseJson = (scope: FastifyInstance): void => {
  const parse = scope.getDefaultJsonParser("ignore", "ignore")
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser("application/json", { parseAs: "string" }, (request, body, done) => {
    if (body === "") done(null, undefined)
    else void parse(request, String(body), done)
  })
}

const handlerOf = (route: Route) => async (request: FastifyRequest, reply: FastifyReply) => {
  const { status, headers, body } = await route.answer({
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
  return reply.send(body)
}

const idOf = (request: FastifyRequest) => (request.params as { readonly id?: string }).id

const sendProblem = (error: unknown, _request: FastifyRequest, reply: FastifyReply): void => {
  const problem = problemOf(error)
  // As bytes: Fastify would add a charset to text, which this media type does not have.
  void reply
    .code(problem.status)
    .header("content-type", problemType)
    .send(Buffer.from(JSON.stringify(problem)))
}
