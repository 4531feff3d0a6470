import { describe, expect, it } from "vitest"
import type { Api, User } from "./Api.ts"
import { onBoth } from "./onBoth.ts"

const both = onBoth()

const alice = { name: "Alice", email: "alice@example.com" }
const bob = { name: "Bob", email: "bob@example.com" }
const carol = { name: "Carol", email: "carol@example.com" }

const twoUsers = async (api: Api): Promise<readonly [User, User]> => [
  await api.create({ name: "Alicia", email: "alicia@example.com" }),
  await api.create({ name: "Zoe", email: "zoe@example.com" }),
]

describe("the examples of the article", () => {
  it("creates three users at once", () =>
    both(async (api) => {
      const answer = await api.ask("POST", "/api/v1/users/bulk-create", { body: { users: [alice, bob, carol] } })
      expect(answer.status).toBe(201)
      const [a, b, c] = (answer.body as { users: ReadonlyArray<User> }).users.map(({ id }) => id)
      expect(answer.text).toBe(
        `{"created":3,"users":[` +
          `{"id":"${a}","name":"Alice","email":"alice@example.com"},` +
          `{"id":"${b}","name":"Bob","email":"bob@example.com"},` +
          `{"id":"${c}","name":"Carol","email":"carol@example.com"}]}`,
      )
      expect(await api.users()).toEqual([
        { id: a, ...alice },
        { id: b, ...bob },
        { id: c, ...carol },
      ])
    }))

  it("runs a JSON batch that creates, changes and removes", () =>
    both(async (api) => {
      const [kept, removed] = await twoUsers(api)
      const answer = await api.ask("POST", "/api/v1/batch", {
        body: {
          requests: [
            { id: "req-1", method: "POST", url: "/api/v1/users", body: alice },
            { id: "req-2", method: "PATCH", url: `/api/v1/users/${kept.id}`, body: { name: "Alice Smith" } },
            { id: "req-3", method: "DELETE", url: `/api/v1/users/${removed.id}` },
          ],
        },
      })
      expect(answer.status).toBe(200)
      const id = (answer.body as { responses: ReadonlyArray<{ body: User }> }).responses[0]!.body.id
      expect(answer.body).toEqual({
        responses: [
          { id: "req-1", status: 201, headers: { location: `/api/v1/users/${id}` }, body: { id, ...alice } },
          { id: "req-2", status: 200, body: { ...kept, name: "Alice Smith" } },
          { id: "req-3", status: 204, body: null },
        ],
      })
      expect(await api.names()).toEqual(["Alice Smith", "Alice"])
    }))

  it("creates, changes and removes with operations", () =>
    both(async (api) => {
      const [kept, removed] = await twoUsers(api)
      const { status, body } = await api.operations([
        { action: "create", data: alice },
        { action: "update", id: kept.id, data: { name: "Alice Smith" } },
        { action: "delete", id: removed.id },
      ])
      expect(status).toBe(200)
      expect(body).toEqual({
        status: "success",
        succeeded: 3,
        failed: 0,
        results: [
          { index: 0, status: "success", id: expect.stringMatching(/^u_/) },
          { index: 1, status: "success", id: kept.id },
          { index: 2, status: "success", id: removed.id },
        ],
      })
      expect(await api.names()).toEqual(["Alice Smith", "Alice"])
    }))

  it("reports a partial success", () =>
    both(async (api) => {
      const [kept] = await twoUsers(api)
      const { status, text, body } = await api.operations([
        { action: "create", data: alice },
        { action: "update", id: kept.id, data: { name: "Alice Smith" } },
        { action: "delete", id: "u_099" },
      ])
      expect(status).toBe(207)
      expect(text).toBe(
        `{"status":"partial","succeeded":2,"failed":1,"results":[` +
          `{"index":0,"status":"success","id":"${body.results[0]!.id}"},` +
          `{"index":1,"status":"success","id":"${kept.id}"},` +
          `{"index":2,"status":"error","id":"u_099","error":{"code":"NOT_FOUND","message":"User u_099 not found"}}]}`,
      )
    }))

  const fifty = Array.from({ length: 50 }, (_, index) => ({ name: `n${index}`, email: `n${index}@example.com` }))
  const withTwoFaults = fifty.with(12, { name: "n12", email: "nope" }).with(37, { name: "n37", email: bob.email })
  const twoFaults = [
    {
      index: 12,
      status: "error",
      error: { code: "VALIDATION_ERROR", field: "email", message: "Invalid email format" },
    },
    { index: 37, status: "error", error: { code: "DUPLICATE", field: "email", message: "Email already exists" } },
  ]

  it("lists only the failures of fifty operations when the client asks for that", () =>
    both(async (api) => {
      await api.create(bob)
      const operations = withTwoFaults.map((data) => ({ action: "create", data }))
      const { status, headers, body } = await api.operations(operations, {}, { prefer: "return=minimal" })
      expect(status).toBe(207)
      expect(headers["preference-applied"]).toBe("return=minimal")
      expect(body).toEqual({ status: "partial", succeeded: 48, failed: 2, results: twoFaults })
      expect(await api.names()).toHaveLength(49)
    }))

  it("counts the created users of a bulk creation with failures, and lists results instead of users", () =>
    both(async (api) => {
      await api.create(bob)
      const path = "/api/v1/users/bulk-create"
      const minimal = { prefer: "return=minimal" }
      const { status, body } = await api.ask("POST", path, { body: { users: withTwoFaults }, headers: minimal })
      expect(status).toBe(207)
      expect(body).toEqual({ status: "partial", succeeded: 48, failed: 2, created: 48, results: twoFaults })
      expect(await api.names()).toEqual([
        "Bob",
        ...fifty.map(({ name }) => name).filter((_, i) => i !== 12 && i !== 37),
      ])
    }))
})
