import { describe, expect, it } from "vitest"
import type { SubResponse, User } from "./Api.ts"
import { onBoth } from "./onBoth.ts"

const both = onBoth()

const post = (id: string, body: unknown, more: object = {}) => ({
  id,
  method: "POST",
  url: "/api/v1/users",
  body,
  ...more,
})

const summary = (responses: ReadonlyArray<SubResponse>) =>
  responses.map(({ id, status, body }) => [id, status, (body as { code?: string } | null)?.code])

describe("dependsOn", () => {
  it("makes a sub-request wait, wherever it stands in the batch", () =>
    both(async (api) => {
      const responses = await api.requests([
        { id: "list", method: "GET", url: "/api/v1/users", dependsOn: ["b", "a"] },
        post("a", { name: "a" }, { dependsOn: ["slow"] }),
        post("b", { name: "b" }, { dependsOn: ["a", "a"] }),
        { id: "slow", method: "GET", url: "/api/v1/slow?ms=60" },
      ])
      expect(summary(responses)).toEqual([
        ["list", 200, undefined],
        ["a", 201, undefined],
        ["b", 201, undefined],
        ["slow", 200, undefined],
      ])
      expect((responses[0]!.body as { users: ReadonlyArray<User> }).users.map(({ name }) => name)).toEqual(["a", "b"])
    }))

  it("skips what depends on a failure, directly or not", () =>
    both(async (api) => {
      const responses = await api.requests([
        { id: "bad", method: "GET", url: "/api/v1/users/u_none" },
        post("one", { name: "Nobody" }, { dependsOn: ["bad"] }),
        post("two", { name: "Nobody" }, { dependsOn: ["one"] }),
        post("three", { name: "Nobody" }, { dependsOn: [{ id: "two" }, "fine"] }),
        { id: "fine", method: "GET", url: "/health", dependsOn: [] },
        { id: "broken", method: "GET", url: "nowhere" },
        post("four", { name: "Nobody" }, { dependsOn: ["broken"] }),
        { id: "null", method: "GET", url: "/health", dependsOn: null },
      ])
      expect(summary(responses)).toEqual([
        ["bad", 404, "NOT_FOUND"],
        ["one", 424, "FAILED_DEPENDENCY"],
        ["two", 424, "FAILED_DEPENDENCY"],
        ["three", 424, "FAILED_DEPENDENCY"],
        ["fine", 200, undefined],
        ["broken", 400, "INVALID_REQUEST"],
        ["four", 424, "FAILED_DEPENDENCY"],
        ["null", 200, undefined],
      ])
      expect(responses[1]).not.toHaveProperty("headers")
      expect(await api.names()).toEqual([])
    }))

  it("takes a status that the client accepts for success", () =>
    both(async (api) => {
      await api.create({ name: "a", email: "a@example.com" })
      const responses = await api.requests([
        post("dup", { name: "b", email: "a@example.com" }),
        post("yes", { name: "yes" }, { dependsOn: [{ id: "dup", accept: [404, 409] }] }),
        post("no", { name: "no" }, { dependsOn: [{ id: "dup", accept: [404] }] }),
        post("skipped", { name: "no" }, { dependsOn: [{ id: "no", accept: [424] }] }),
      ])
      expect(responses.slice(0, 3).map(({ status }) => status)).toEqual([409, 201, 424])
      expect(await api.names()).toEqual(["a", "yes"])
    }))

  it("follows a chain of five hundred in both orders", () =>
    both(async (api) => {
      const chain = Array.from({ length: 500 }, (_, index) => ({
        id: `c${index}`,
        method: "GET",
        url: "/health",
        ...(index > 0 && { dependsOn: [`c${index - 1}`] }),
      }))
      for (const requests of [chain, [...chain].reverse()]) {
        const responses = await api.requests(requests)
        expect(responses.every(({ status }) => status === 200)).toBe(true)
      }
      const [first, ...rest] = chain
      const failing = await api.requests([{ ...first!, url: "/nope" }, ...rest])
      expect(failing.filter(({ status }) => status === 424)).toHaveLength(499)
    }))
})

describe("unsafe methods on one path", () => {
  it("run in request order, however the path is spelt", () =>
    both(async (api) => {
      const user = await api.create({ name: "start" })
      const path = `/api/v1/users/${user.id}`
      const spelt = [path, `${path}?x=1`, `${path}?y`, path.replace("u_", "%75_"), path.replace("u_", "%75%5f")]
      const requests = Array.from({ length: 200 }, (_, index) => ({
        id: `p${index}`,
        method: "PATCH",
        url: spelt[index % spelt.length]!,
        body: { name: `n${index}` },
      }))
      const responses = await api.requests(requests)
      expect(responses.map(({ body }) => (body as User).name)).toEqual(requests.map(({ body }) => body.name))
      expect(await api.names()).toEqual(["n199"])
    }))

  it("apply a removal before later requests", () =>
    both(async (api) => {
      const { id } = await api.create({ name: "a" })
      const url = `/api/v1/users/${id}`
      const responses = await api.requests([
        { id: "1", method: "PATCH", url, body: { n: 1 } },
        { id: "2", method: "DELETE", url },
        { id: "3", method: "PATCH", url, body: { n: 2 } },
        { id: "4", method: "DELETE", url },
      ])
      expect(responses.map(({ status }) => status)).toEqual([200, 204, 404, 404])
    }))
})

describe("references", () => {
  const made = post("made", {
    name: "Ann Lee",
    email: "ann@example.com",
    n: 7,
    list: [{ x: null }, "two"],
    flag: true,
    o: { k: "v" },
  })

  it("put parts of an earlier answer into urls and bodies", () =>
    both(async (api) => {
      const responses = await api.requests([
        made,
        { id: "get", method: "GET", url: "/api/v1/users/@{made.body.id}" },
        {
          id: "echo",
          method: "GET",
          url: "/api/v1/echo?q=@{made.body.name}&s=@{made.status}&l=@{made.headers.location}",
        },
        post("copy", {
          name: "Copy of @{made.body.name}",
          id_of: "@{made.body.id}",
          number: "@{made.body.n}",
          flag: "@{made.body.flag}",
          list: "@{made.body.list}",
          nothing: "@{made.body.list.0.x}",
          two: ["@{made.body.list.1}", { deep: "@{made.body.o.k}" }],
          status: "@{made.status}",
          text: "n=@{made.body.n} o=@{made.body.o} @{made.body.flag}",
        }),
      ])
      const user = responses[0]!.body as User
      expect(responses[1]!.body).toEqual(user)
      expect((responses[2]!.body as { url: string }).url).toBe(
        `/api/v1/echo?q=Ann%20Lee&s=201&l=${encodeURIComponent(`/api/v1/users/${user.id}`)}`,
      )
      expect(responses[3]!.body).toEqual({
        id: expect.any(String),
        name: "Copy of Ann Lee",
        email: null,
        id_of: user.id,
        number: 7,
        flag: true,
        list: [{ x: null }, "two"],
        nothing: null,
        two: ["two", { deep: "v" }],
        status: 201,
        text: 'n=7 o={"k":"v"} true',
      })
    }))

  it("begin with the longest matching id of the batch, or are plain text", () =>
    both(async (api) => {
      const responses = await api.requests([
        post("a", { name: "short" }),
        post("a.body", { name: "long" }),
        post("text", {
          name: "x",
          longest: "@{a.body.body.name}",
          unknown: "@{b.body.name}",
          open: "@{a.body",
          longer: "@{ab.body.name}",
          escaped: "@@{a.body.name}",
          twice: "@@@{a.status}",
          js: "${1+1} #{1} {{a}} @{}",
          mail: "ann@example.com",
          brace: "@ {a.status}",
        }),
      ])
      expect(responses[2]!.body).toMatchObject({
        longest: "long",
        unknown: "@{b.body.name}",
        open: "@{a.body",
        longer: "@{ab.body.name}",
        escaped: "@{a.body.name}",
        js: "${1+1} #{1} {{a}} @{}",
        mail: "ann@example.com",
        brace: "@ {a.status}",
      })
    }))

  it("are dependencies too", () =>
    both(async (api) => {
      const responses = await api.requests([
        post("late", { name: "late", of: "@{slow.body.ms}" }),
        { id: "slow", method: "GET", url: "/api/v1/slow?ms=50" },
        { id: "bad", method: "GET", url: "/api/v1/users/u_none" },
        post("never", { name: "Nobody", code: "@{bad.body.code}" }),
        post("accepted", { name: "accepted", code: "@{bad.body.code}" }, { dependsOn: [{ id: "bad", accept: [404] }] }),
      ])
      expect(responses.map(({ status }) => status)).toEqual([201, 200, 404, 424, 201])
      expect(responses[4]!.body).toMatchObject({ code: "NOT_FOUND" })
      expect([...(await api.names())].sort()).toEqual(["accepted", "late"])
    }))

  it("that cannot be resolved, or cannot stand in a url, skip their operation", () =>
    both(async (api) => {
      await api.create({ name: ".." })
      const bodies = [
        "made.body.nope",
        "made.body.list.2",
        "made.body.list.length",
        "made.body.list.-1",
        "made.body.list.00",
        "made.body.name.length",
        "made.body.constructor",
        "made.body.__proto__",
        "made.body.toString",
        "made.body.o.hasOwnProperty",
        "made.constructor.constructor",
        "made.__proto__",
        "made.nothing",
        "made.headers.set-cookie",
        "made.headers.constructor",
        "made.body..id",
        "made.body.id.",
      ].map((path, index) => post(`b${index}`, { name: "Nobody", x: `@{${path}}` }))
      const urls = [
        "made.body.o",
        "made.body.list",
        "made.body.list.0.x",
        "empty.body.blank",
        "empty.body.dot",
        "list.body.users.0.name",
      ].map((path, index) => ({ id: `u${index}`, method: "DELETE", url: `/api/v1/users/@{${path}}` }))
      const responses = await api.requests([
        made,
        post("empty", { name: "e", blank: "", dot: "." }),
        { id: "list", method: "GET", url: "/api/v1/users" },
        ...bodies,
        ...urls,
      ])
      for (const response of responses.slice(3)) {
        expect(summary([response])).toEqual([[response.id, 424, "UNRESOLVED_REFERENCE"]])
        expect(response).not.toHaveProperty("headers")
      }
      expect(await api.names()).toHaveLength(3)
    }))

  it("cannot lead a url elsewhere", () =>
    both(async (api) => {
      const names = ["../batch", "//evil.example/", "a/b", "x?limit=1", "x#y", "\\..\\x", "%2e%2e", "a\r\nb"]
      const responses = await api.requests([
        post("tricky", { name: "t", names }),
        ...names.map((_, index) => ({
          id: `g${index}`,
          method: "GET",
          url: `/api/v1/users/@{tricky.body.names.${index}}`,
        })),
        ...names.map((_, index) => ({
          id: `q${index}`,
          method: "GET",
          url: `/api/v1/echo?q=@{tricky.body.names.${index}}`,
        })),
      ])
      for (const { status } of responses.slice(1, 1 + names.length)) expect([400, 404]).toContain(status)
      for (const [index, { status, body }] of responses.slice(1 + names.length).entries()) {
        expect({ status, body }).toMatchObject({
          status: 200,
          body: { url: `/api/v1/echo?q=${encodeURIComponent(names[index]!)}` },
        })
      }
      const [, whole, start] = await api.requests([
        post("tricky", { name: "/api/v1/users" }),
        { id: "whole", method: "GET", url: "@{tricky.body.name}" },
        { id: "start", method: "GET", url: "/@{tricky.body.name}" },
      ])
      expect({ wholeStatus: whole!.status, startStatus: start!.status }).toEqual({ wholeStatus: 400, startStatus: 404 })
    }))

  it("cost little in a hostile text that is full of them", () =>
    both(async (api) => {
      const ids = Array.from({ length: 250 }, (_, index) => "x".repeat(index + 1))
      const body = { name: "a", text: "@{".repeat(100_000) }
      const begun = performance.now()
      const responses = await api.requests(
        ids.map((id, index) => (index === 7 ? post(id, body) : post(id, { name: "a" }))),
      )
      expect(performance.now() - begun).toBeLessThan(3000)
      expect(responses[7]!.status).toBe(400)
      expect(await api.names()).toHaveLength(249)
      // Sub-requests that do not depend on each other may create their users in any order.
    }, "differently"))
})
