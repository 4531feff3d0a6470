import { createServer } from "node:http"
import { once } from "node:events"

import express, { type ErrorRequestHandler, type Express, type RequestHandler } from "express"

import { hasBody, requireJson, routeNotFound, tenantOf } from "./admission.ts"
import type { Configuration } from "./Configuration.ts"
import { mountBatches } from "./expressBatches.ts"
import { drain, type Host, portOf, watchUnused } from "./Host.ts"
import { problemOf, problemType } from "./Problem.ts"
import { health, type Route, routes } from "./routes.ts"
import type { Users } from "./Users.ts"

/** The reference application on Express 5. */
export const expressHost = async (users: Users, configuration: Configuration): Promise<Host<Express>> => {
  let draining = false
  const app = express()
  app.disable("x-powered-by").disable("etag").enable("case sensitive routing").enable("strict routing")
  app.use((_request, response, next) => {
    if (draining) response.setHeader("connection", "close")
    next()
  })
  app.get(health.path, handlerOf(health))
  app.use((request, _response, next) => {
    tenantOf(request.headers)
    next()
  })
  // Before any body parser: a batch endpoint reads its body itself, within limits of its own.
  const stores = await mountBatches(app, users, configuration)
  const readJson = jsonReader(configuration.maxBodyBytes)
  for (const route of routes(users)) {
    if (route.method === "post" || route.method === "patch") app[route.method](route.path, readJson)
    app[route.method](route.path, handlerOf(route))
  }
  app.use((request) => {
    throw routeNotFound(request.method, request.originalUrl)
  })
  app.use(sendProblem)

  const server = createServer(app)
  const unused = watchUnused(server)
  return {
    app,
    notice: stores.notice,
    listen: async (port) => {
      await once(server.listen(port, "127.0.0.1"), "listening")
      return portOf(server)
    },
    close: async () => {
      draining = true
      await drain(server, unused, new Promise((resolve) => server.close(() => resolve())))
      await stores.close()
    },
  }
}

// The parser makes an empty body an empty object, which would pass for a patch.
const jsonReader = (limit: number): RequestHandler => {
  const parse = express.json({ limit, strict: false, inflate: false })
  return (request, response, next) => {
    requireJson(request.headers)
    if (hasBody(request.headers)) parse(request, response, next)
    else next()
  }
}

const handlerOf =
  (route: Route): RequestHandler =>
  async (request, response) => {
    const { status, headers, body } = await route.answer({
      method: request.method,
      url: request.originalUrl,
      id: String(request.params["id"]),
      query: request.query,
      headers: request.headers,
      address: request.ip,
      body: request.body as unknown,
    })
    response.status(status)
    if (headers !== undefined) response.set(headers)
    if (body === undefined) response.end()
    else response.json(body)
  }

const sendProblem: ErrorRequestHandler = (error: unknown, _request, response, next) => {
  if (response.headersSent) return next(error)
  const problem = problemOf(error)
  // `response.send` would add a charset, which this media type does not have.
  response.statusCode = problem.status
  response.setHeader("content-type", problemType)
  response.end(JSON.stringify(problem))
}
