import { describe, expect, it } from "vitest"
import type { Api, OperationResult, Results, User } from "./Api.ts"
import { onBoth } from "./onBoth.ts"

const both = onBoth()

const bulk = async (
  api: Api,
  action: "create" | "update" | "delete",
  users: ReadonlyArray<unknown>,
  prefer?: string,
) => {
  const headers = prefer === undefined ? {} : { prefer }
  return api.ask("POST", `/api/v1/users/bulk-${action}`, { body: { users }, headers })
}

const codes = ({ results }: { readonly results: ReadonlyArray<OperationResult> }) =>
  results.map(({ error }) => error?.code)

describe("bulk endpoints", () => {
  it("change items in request order and answer with them", () =>
    both(async (api) => {
      const [a, b] = (await api.people("a", "b")) as [User, User]
      const items = [
        { id: b.id, name: "B" },
        { id: a.id, age: 7 },
        { id: b.id, email: null },
      ]
      const { status, text } = await bulk(api, "update", items)
      expect(status).toBe(200)
      const b1 = { ...b, name: "B" }
      expect(JSON.parse(text)).toEqual({ updated: 3, users: [b1, { ...a, age: 7 }, { ...b1, email: null }] })
      expect(Object.keys(JSON.parse(text) as object)).toEqual(["updated", "users"])
    }))

  it("remove items by id or by an object with one", () =>
    both(async (api) => {
      const [a, b, c] = (await api.people("a", "b", "c")) as [User, User, User]
      const { status, body } = await bulk(api, "delete", [c.id, { id: a.id }])
      expect(status).toBe(200)
      expect(body).toEqual({ deleted: 2, users: [{ id: c.id }, { id: a.id }] })
      expect(await api.users()).toEqual([b])
    }))

  it("keep request order over a thousand items", () =>
    both(async (api) => {
      const names = Array.from({ length: 1000 }, (_, index) => `n${index}`)
      const { body } = await bulk(
        api,
        "create",
        names.map((name) => ({ name })),
      )
      const { created, users } = body as { created: number; users: ReadonlyArray<User> }
      expect(created).toBe(1000)
      expect(users.map(({ name }) => name)).toEqual(names)
      expect(await api.names()).toEqual(names)
    }))

  it("answer with results and counts instead of items when anything failed", () =>
    both(async (api) => {
      const [a] = (await api.people("a")) as [User]
      const update = await bulk(api, "update", [
        { id: a.id, name: "A" },
        { id: "u_no", name: "B" },
        { name: "C" },
        7,
        null,
      ])
      expect(update.status).toBe(207)
      expect(update.body).toMatchObject({ status: "partial", succeeded: 1, failed: 4, updated: 1 })
      expect(update.body).not.toHaveProperty("users")
      expect(codes(update.body as Results)).toEqual([
        undefined,
        "NOT_FOUND",
        "VALIDATION_ERROR",
        "VALIDATION_ERROR",
        "VALIDATION_ERROR",
      ])
      const remove = await bulk(api, "delete", ["u_no", a.id, {}, [], "", true, "x".repeat(257), "a\u0001b", 1.5, 1e21])
      expect(remove.body).toMatchObject({ status: "partial", succeeded: 1, failed: 9, deleted: 1 })
      expect(codes(remove.body as Results)).toEqual([
        "NOT_FOUND",
        undefined,
        ...Array.from({ length: 8 }, () => "VALIDATION_ERROR"),
      ])
    }))

  it("answer failed when every item failed", () =>
    both(async (api) => {
      const { status, body } = await bulk(api, "create", [{}, { name: "" }, [], "a", null])
      expect(status).toBe(207)
      expect(body).toMatchObject({ status: "failed", succeeded: 0, failed: 5, created: 0 })
      expect(codes(body as Results)).toEqual(Array.from({ length: 5 }, () => "VALIDATION_ERROR"))
      expect(await api.names()).toEqual([])
    }))

  it("store the valid items when the database refuses many", () =>
    both(async (api) => {
      await api.people("taken")
      const users = Array.from({ length: 200 }, (_, index) => ({
        name: `n${index}`,
        email: index % 20 === 3 ? "TAKEN@example.com" : `n${index % 100}@example.com`,
      }))
      const { body } = await bulk(api, "create", users)
      const { results } = body as Results
      const failed = results.filter(({ status }) => status === "error").map(({ index }) => index)
      // Ten have the email that is taken; those from 100 on repeat the emails of the first hundred.
      expect(failed).toEqual(users.flatMap((_, index) => (index % 20 === 3 || index >= 100 ? [index] : [])))
      expect(new Set(codes({ results }))).toEqual(new Set([undefined, "DUPLICATE"]))
      expect(await api.names()).toHaveLength(1 + 200 - failed.length)
    }))
})
