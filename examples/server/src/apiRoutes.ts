/**
 * The routes that are not batch endpoints, written once for both frameworks.
 */
import { setTimeout } from "node:timers/promises"

import type { Route } from "./Route.ts"
import { invalid } from "./UserFailure.ts"
import { NewUser, UserPatch, validate } from "./userInput.ts"
import type { Users } from "./Users.ts"

/** The routes that need an API key. */
export const apiRoutes = (users: Users): ReadonlyArray<Route> => [
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
