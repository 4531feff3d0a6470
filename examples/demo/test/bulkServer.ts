import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { json } from "node:stream/consumers"

import type { RunningServer } from "../src/startServer.ts"

interface Input {
  readonly name: string
  readonly email: string
}

/** Starts a small server that answers as the bulk endpoint does. It does not store users with the name `lost`. */
export const startBulkServer = async (lost?: string): Promise<RunningServer> => {
  const users: Array<Input> = []
  const emails = new Set<string>()

  const create = (user: Input) => {
    if (user.name === "") return { code: "VALIDATION_ERROR", field: "name", message: "Name is empty" }
    if (!user.email.includes("@")) return { code: "VALIDATION_ERROR", field: "email", message: "Invalid email format" }
    if (emails.has(user.email)) return { code: "DUPLICATE", field: "email", message: "Email already exists" }
    emails.add(user.email)
    if (user.name !== lost) users.push(user)
    return undefined
  }

  const bulkCreate = (inputs: ReadonlyArray<Input>) => {
    const results = inputs.map((input, index) => {
      const error = create(input)
      return error === undefined ? { index, status: "success", id: "u" } : { index, status: "error", error }
    })
    const failed = results.filter(({ status }) => status === "error").length
    const created = inputs.length - failed
    return failed === 0
      ? { status: 201, body: { created, users: inputs } }
      : { status: 207, body: { status: "partial", succeeded: created, failed, created, results } }
  }

  const server = createServer(async (request, response) => {
    const answer =
      request.method === "GET"
        ? { status: 200, body: { users } }
        : request.url === "/api/v1/users"
          ? { status: create((await json(request)) as Input) === undefined ? 201 : 422, body: {} }
          : bulkCreate(((await json(request)) as { readonly users: ReadonlyArray<Input> }).users)
    response.writeHead(answer.status, { "content-type": "application/json" }).end(JSON.stringify(answer.body))
  })
  await once(server.listen(0, "127.0.0.1"), "listening")
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    kill: async () => undefined,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
