import { createServer } from "node:http"
import { once } from "node:events"

import express, { type ErrorRequestHandler, type Express, type RequestHandler } from "express"

import { apiRoutes } from "./apiRoutes.ts"
import type { Configuration } from "./Configuration.ts"
import { drain, portOf, trackUnused } from "./connections.ts"
import { mountBatches } from "./expressBatches.ts"
import type { Host } from "./Host.ts"
import { problemOf, problemType } from "./Problem.ts"
import { publicRoutes } from "./publicRoutes.ts"
import { hasBody, requireJson, routeNotFound, tenantOf } from "./requestChecks.ts"
import type { Route } from "./Route.ts"
import { databaseCheck, openStores } from "./stores.ts"
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
  const stores = await openStores(users, configuration)
  for (const route of publicRoutes(configuration, [databaseCheck(users), ...stores.checks])) {
    app[route.method](route.path, handlerOf(route))
  }
  app.use((request, _response, next) => {
    tenantOf(request.headers)
    next()
  })
  // Before the body parsers: batch endpoints read their bodies themselves, within limits of their own.
  const batches = mountBatches(app, users, stores, configuration)
  const readJson = jsonReader(configuration.maxBodyBytes)
  for (const route of apiRoutes(users)) {
    if (route.method === "post" || route.method === "patch") app[route.method](route.path, readJson)
    app[route.method](route.path, handlerOf(route))
  }
  app.use((request) => {
    throw routeNotFound(request.method, request.originalUrl)
  })
  app.use(sendProblem)

  const server = createServer(app)
  const unused = trackUnused(server)
  return {
    app,
    listen: async (port) => {
      await once(server.listen(port, "127.0.0.1"), "listening")
      return portOf(server)
    },
    close: async () => {
      draining = true
      await drain(server, unused, new Promise((resolve) => server.close(() => resolve())))
      await batches.close()
      await stores.close()
    },
  }
}

// Without a body the parser would make an empty object, which is a valid patch.
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
    const { status, headers, body, html } = await route.answer({
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
    if (html !== undefined) response.type("html").send(html)
    else if (body === undefined) response.end()
    else response.json(body)
  }

const sendProblem: ErrorRequestHandler = (error: unknown, _request, response, next) => {
  if (response.headersSent) return next(error)
  const problem = problemOf(error)
  // `response.send` would add a charset parameter, which this media type does not define.
  response.statusCode = problem.status
  response.setHeader("content-type", problemType)
  response.end(JSON.stringify(problem))
}
