import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Api, Results, SubResponse, User } from "./Api.ts"
import { onBoth } from "./onBoth.ts"

const both = onBoth()

/** One operation of a batch, before it is known which users there are. Each has a user and an email of its own. */
type Kind =
  | "create"
  | "create without name"
  | "create with a bad email"
  | "create with a taken email"
  | "update"
  | "update with a bad name"
  | "update of nobody"
  | "delete"
  | "delete of nobody"
  | "throw"
  | "unknown"
  | "poison"
  | "malformed"

const kinds: ReadonlyArray<Kind> = [
  "create",
  "create without name",
  "create with a bad email",
  "create with a taken email",
  "update",
  "update with a bad name",
  "update of nobody",
  "delete",
  "delete of nobody",
  "throw",
  "unknown",
  "poison",
  "malformed",
]

const mixes = fc.array(fc.constantFrom(...kinds), { minLength: 1, maxLength: 40 })

const operationOf = (kind: Kind, index: number, { id }: User): unknown => {
  const email = `new${index}@example.com`
  switch (kind) {
    case "create":
      return { action: "create", data: { name: `new${index}`, email, index } }
    case "create without name":
      return { action: "create", data: { email } }
    case "create with a bad email":
      return { action: "create", data: { name: "x", email: "nope" } }
    case "create with a taken email":
      return { action: "create", data: { name: "x", email: "TAKEN@example.com" } }
    case "update":
      return { action: "update", id, data: { name: `changed${index}`, index } }
    case "update with a bad name":
      return { action: "update", id, data: { name: "" } }
    case "update of nobody":
      return { action: "update", id: `u_none${index}`, data: { name: "x" } }
    case "delete":
      return { action: "delete", id }
    case "delete of nobody":
      return { action: "delete", id: `u_none${index}` }
    case "throw":
      return { action: "boom" }
    case "unknown":
      return { action: ["archive", "valueOf", "__proto__"][index % 3], id }
    case "poison":
      return JSON.parse(`{"action":"create","data":{"name":"x","__proto__":{"a":1}}}`)
    case "malformed":
      return [null, 7, [], { action: 7 }, { action: "delete", id: {} }][index % 5]
  }
}

const requestOf = (kind: Kind, index: number, user: User): object => {
  const one = "/api/v1/users"
  const { data } = (operationOf(kind, index, user) ?? {}) as { readonly data?: unknown }
  if (kind.startsWith("create") || kind === "poison") return { method: "POST", url: one, body: data }
  if (kind === "update of nobody") return { method: "PATCH", url: `${one}/u_none${index}`, body: data }
  if (kind.startsWith("update")) return { method: "PATCH", url: `${one}/${user.id}`, body: data }
  if (kind === "delete") return { method: "DELETE", url: `${one}/${user.id}` }
  if (kind === "delete of nobody") return { method: "DELETE", url: `${one}/u_none${index}` }
  if (kind === "throw") return { method: "GET", url: "/api/v1/boom" }
  if (kind === "unknown") return { method: "PUT", url: one, body: {} }
  return { method: "GET", url: ["nowhere", "//evil.example", "/..", "/a b", "/%"][index % 5] }
}

/** A world with a user for each operation, and one whose email is taken. */
const worldFor = async (api: Api, mix: ReadonlyArray<Kind>): Promise<ReadonlyArray<User>> => {
  await api.reset()
  const users = ["taken", ...mix.map((_, index) => `user${index}`)].map((name) => ({
    name,
    email: `${name}@example.com`,
  }))
  const { body } = await api.ask("POST", "/api/v1/users/bulk-create", { body: { users } })
  return (body as { readonly users: ReadonlyArray<User> }).users.slice(1)
}

/** What ids there are differs from world to world: those of this one's users are named after their place. */
const anonymous = (value: unknown, users: ReadonlyArray<User>): unknown => {
  let text = JSON.stringify(value)
  for (const [index, { id }] of users.entries()) text = text.replaceAll(id, `user ${index}`)
  return JSON.parse(text.replace(/u_[0-9a-f]{32}/g, "new user"))
}

/** Everybody there is, in no order: creations of one batch may go in together. */
const everybody = async (api: Api, users: ReadonlyArray<User>): Promise<ReadonlyArray<string>> =>
  (anonymous(await api.users(), users) as ReadonlyArray<unknown>).map((user) => JSON.stringify(user)).sort()

const property = (check: (mix: ReadonlyArray<Kind>) => Promise<void>) =>
  fc.assert(fc.asyncProperty(mixes, check), { numRuns: 12, seed: 7 })

describe("in any mix of good and bad operations", () => {
  it("every result is what the operation alone would get", () =>
    both((api) =>
      property(async (mix) => {
        const prefer = { prefer: "return=representation" }
        const users = await worldFor(api, mix)
        const operations = mix.map((kind, index) => operationOf(kind, index, users[index]!))
        const { body } = await api.operations(operations, {}, prefer)
        const together = [anonymous(body.results, users), await everybody(api, users)]

        const others = await worldFor(api, mix)
        const results: Array<unknown> = []
        for (const [index, kind] of mix.entries()) {
          const alone = await api.operations([operationOf(kind, index, others[index]!)], {}, prefer)
          results.push({ ...(alone.body as Results).results[0], index })
        }
        expect(together).toEqual([anonymous(results, others), await everybody(api, others)])
        expect(body.succeeded + body.failed).toBe(mix.length)
      }),
    ))

  it("every sub-response is what the sub-request alone would get", () =>
    both((api) =>
      property(async (mix) => {
        const users = await worldFor(api, mix)
        const responses = await api.requests(
          mix.map((kind, index) => ({ id: `r${index}`, ...requestOf(kind, index, users[index]!) })),
        )
        const together = [anonymous(responses, users), await everybody(api, users)]

        const others = await worldFor(api, mix)
        const results: Array<SubResponse> = []
        for (const [index, kind] of mix.entries()) {
          const [alone] = await api.requests([{ id: `r${index}`, ...requestOf(kind, index, others[index]!) }])
          results.push(alone!)
        }
        expect(together).toEqual([anonymous(results, others), await everybody(api, others)])
      }),
    ))
})
