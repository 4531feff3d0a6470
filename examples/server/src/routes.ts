/**
 * The single routes, written once for both frameworks.
 */
import type { IncomingHttpHeaders } from "node:http"
import { setTimeout } from "node:timers/promises"

import { invalid } from "./UserFailure.ts"
import { NewUser, UserPatch, validate } from "./userInput.ts"
import type { Users } from "./Users.ts"

/** A request as a route sees it. */
export interface Call {
  readonly method: string
  /** Path and query as they arrived. */
  readonly url: string
  /** The `:id` of the path, where it has one. */
  readonly id: string
  readonly query: Readonly<Record<string, unknown>>
  readonly headers: IncomingHttpHeaders
  /** The caller's address. */
  readonly address: string | undefined
  /** The parsed JSON, `undefined` without a body. */
  readonly body: unknown
}

/** What a route answers; errors are thrown. */
export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON; absent for an empty body. */
  readonly body?: unknown
}

/** A method, a path in the syntax that Express and Fastify share, and what answers it. */
export interface Route {
  readonly method: "get" | "post" | "patch" | "delete"
  readonly path: string
  readonly answer: (call: Call) => Answer | Promise<Answer>
}

/** The route that needs no key: whether the process serves. */
export const health: Route = {
  method: "get",
  path: "/health",
  answer: () => ({ status: 200, body: { status: "ok" } }),
}

/** Every route behind the key. */
export const routes = (users: Users): ReadonlyArray<Route> => [
  {
    method: "post",
    path: "/api/v1/users",
    answer: async ({ body }) => {
      const user = await users.create(validate(NewUser, body))
      return { status: 201, headers: { location: `/api/v1/users/${user.id}` }, body: user }
    },
  },
  {
    method: "get",
    path: "/api/v1/users",
    answer: async ({ query }) => {
      const limit = wholeOf(query, "limit", { minimum: 1, maximum: 100_000, fallback: 100 })
      return { status: 200, body: { users: await users.list(limit) } }
    },
  },
  {
    method: "get",
    path: "/api/v1/users/:id",
    answer: async ({ id }) => ({ status: 200, body: await users.find(id) }),
  },
  {
    method: "patch",
    path: "/api/v1/users/:id",
    answer: async ({ id, body }) => ({ status: 200, body: await users.update(id, validate(UserPatch, body)) }),
  },
  {
    method: "delete",
    path: "/api/v1/users/:id",
    answer: async ({ id }) => {
      await users.remove(id)
      return { status: 204 }
    },
  },
  {
    method: "get",
    path: "/api/v1/slow",
    answer: async ({ query }) => {
      const ms = wholeOf(query, "ms", { minimum: 0, maximum: 600_000, fallback: 1000 })
      await setTimeout(ms)
      return { status: 200, body: { ms } }
    },
  },
  {
    method: "get",
    path: "/api/v1/echo",
    answer: ({ method, url, headers, address }) => ({ status: 200, body: { method, url, headers, address } }),
  },
  {
    method: "get",
    path: "/api/v1/boom",
    answer: () => {
      throw new Error("boom")
    },
  },
]

const wholeOf = (
  query: Readonly<Record<string, unknown>>,
  field: string,
  range: { readonly minimum: number; readonly maximum: number; readonly fallback: number },
): number => {
  const value = query[field]
  if (value === undefined) return range.fallback
  const number = typeof value === "string" && /^\d+$/.test(value) ? Number(value) : Number.NaN
  if (number >= range.minimum && number <= range.maximum) return number
  throw invalid([{ field, message: `${field} must be a whole number from ${range.minimum} to ${range.maximum}` }])
}
