import { describe, expect, it } from "vitest"
import type { SubResponse, User } from "./Api.ts"
import { onBoth } from "./onBoth.ts"
import { invalid, one, post } from "./subRequests.ts"

const both = onBoth()

describe("a sub-request", () => {
  it("gets the answer that the request alone gets", () =>
    both(async (api) => {
      const user = await api.create({ name: "a", email: "a@example.com" })
      const requests = [
        ["GET", `/api/v1/users/${user.id}`],
        ["GET", "/api/v1/users/u_none"],
        ["GET", "/api/v1/users?limit=1"],
        ["GET", "/api/v1/users?limit=x"],
        ["GET", "/api/v1/users/"],
        ["GET", "/nope?x=1"],
        ["PUT", "/api/v1/users"],
        ["OPTIONS", "/api/v1/users"],
        ["GET", "/api/v1/boom"],
        ["GET", "/health"],
        ["POST", "/api/v1/users", { name: "b", email: "nope" }],
        ["POST", "/api/v1/users", { name: "b", email: "A@example.com" }],
        ["POST", "/api/v1/users", "text"],
        ["POST", "/api/v1/users", []],
        ["POST", "/api/v1/users"],
        ["PATCH", `/api/v1/users/${user.id}`, { age: 7 }],
        ["PATCH", `/api/v1/users/${user.id}`, { email: 7 }],
        ["PATCH", "/api/v1/users/u_none", {}],
        ["DELETE", "/api/v1/users/u_none"],
        ["GET", "/api/v1/users/%7a%41"],
        ["GET", `/api/v1/users/${"x".repeat(900)}`],
      ] as const
      for (const [method, url, body] of requests) {
        const alone = await api.ask(method, url, { ...(body !== undefined && { body: JSON.stringify(body) }) })
        const batched = await one(api, { method, url, ...(body !== undefined && { body }) })
        expect({ url, status: batched.status, body: batched.body }).toEqual({
          url,
          status: alone.status,
          body: alone.body,
        })
      }
    }))

  it("accepts each method in any letter case, and no other", () =>
    both(async (api) => {
      expect(await one(api, { method: "get", url: "/api/v1/users" })).toMatchObject({ status: 200 })
      expect(await one(api, { method: "pOsT", url: "/api/v1/users", body: { name: "a" } })).toMatchObject({
        status: 201,
      })
      expect(await one(api, { method: "HEAD", url: "/api/v1/users" })).toEqual({
        id: "only",
        status: expect.any(Number),
        body: null,
      })
      for (const method of [
        "TRACE",
        "CONNECT",
        "",
        " GET",
        "GET ",
        "GET\r\nX: y",
        "constructor",
        7,
        null,
        ["GET"],
        undefined,
      ]) {
        expect(await one(api, { method, url: "/api/v1/users" })).toEqual(invalid("method"))
      }
      expect(await api.names()).toEqual(["a"])
    }))

  it("cannot leave the application by its url", () =>
    both(async (api) => {
      const urls = [
        "http://example.com/",
        "https://127.0.0.1/api/v1/users",
        "HTTP:/api/v1/users",
        "file:///etc/passwd",
        "javascript:1",
        "//example.com/api/v1/users",
        "///api/v1/users",
        "/\\example.com",
        "\\\\example.com",
        "/api/v1\\users",
        "/api/v1/%5cusers",
        "api/v1/users",
        "?limit=1",
        "",
        " /api/v1/users",
        "/api/v1/users ",
        "/api/v1/us ers",
        "/api/v1/users\r\nX-Injected: 1",
        "/api/v1/users\n",
        "/api/v1/users\t",
        "/api/v1/users\u0000",
        "/api/v1/users\u007f",
        "/api/v1/users%0d%0aX-Injected:1",
        "/api/v1/users%00",
        "/api/v1/users#part",
        "/api/v1/üsers",
        "/api/v1/\ud800",
        "/api/v1/users/%",
        "/api/v1/users/%zz",
        "/api/v1/users?x=%z",
        "/..",
        "/../etc/passwd",
        "/api/../../x",
        "/api/%2e%2e/%2E./x",
        "/api/..%2f..%2fx",
        "/./../x",
        "*",
        7,
        null,
        ["/api/v1/users"],
        {},
        undefined,
      ]
      const responses = await api.requests([
        ...urls.map((url, index) => ({ id: `u${index}`, method: "POST", url, body: { name: "Nobody" } })),
        post("good", "Somebody"),
      ])
      for (const [index, response] of responses.slice(0, -1).entries()) {
        expect({ url: urls[index], response }).toEqual({
          url: urls[index],
          response: { ...invalid("url"), id: `u${index}` },
        })
      }
      expect(responses.at(-1)!.status).toBe(201)
      expect(await api.names()).toEqual(["Somebody"])
    }))

  it("with GET or HEAD has no body, and null counts as none", () =>
    both(async (api) => {
      for (const method of ["GET", "HEAD", "get"]) {
        for (const body of [{}, [], "", 0, false, "text"]) {
          expect(await one(api, { method, url: "/api/v1/users", body })).toEqual(invalid("body"))
        }
        expect(await one(api, { method, url: "/api/v1/echo", body: null })).toMatchObject({ id: "only" })
      }
      const { body } = await one(api, { method: "DELETE", url: "/api/v1/users/u_none", body: null })
      expect(body).toMatchObject({ code: "NOT_FOUND" })
    }))

  it("sends its body as JSON, or as text when its content type says so", () =>
    both(async (api) => {
      const as = (type: string) => ({ headers: { "Content-Type": type } })
      const send = (body: unknown, more: object = {}) => one(api, { ...post("only", ""), body, ...more })
      expect(await send({ name: "json" })).toMatchObject({ status: 201 })
      expect(await send({ name: "named" }, as("application/json; charset=utf-8"))).toMatchObject({ status: 201 })
      expect(await send("name=x", as("text/plain"))).toMatchObject({
        status: 415,
        body: { code: "UNSUPPORTED_MEDIA_TYPE" },
      })
      expect(await send({ name: "x" }, as("text/plain"))).toEqual(invalid("body"))
      expect(await send("name=x", as("application/x-www-form-urlencoded"))).toEqual(invalid("body"))
      expect(await send(btoa("name=x"), as("application/x-www-form-urlencoded"))).toMatchObject({ status: 415 })
      expect(await send('{"name":"x"}')).toMatchObject({ status: 422, body: { message: "A user must be an object" } })
      expect(await api.names()).toEqual(["json", "named"])
    }))

  it("never lets its body reach a prototype", () =>
    both(async (api) => {
      const body = `{"requests":[
        {"id":"a","method":"POST","url":"/api/v1/users","body":{"name":"a","__proto__":{"polluted":1}}},
        {"id":"b","method":"POST","url":"/api/v1/users","body":{"name":"b","constructor":{"prototype":{"polluted":1}}}},
        {"id":"c","method":"POST","url":"/api/v1/users","__proto__":{"headers":{"x-a":"b"}},"body":{"name":"c"}}]}`
      const answer = await api.ask("POST", "/api/v1/batch", { body })
      for (const [index, user] of [
        `{"name":"a","__proto__":{"polluted":1}}`,
        `{"name":"b","constructor":{"prototype":{"polluted":1}}}`,
      ].entries()) {
        const alone = await api.ask("POST", "/api/v1/users", { body: user })
        const { responses } = answer.body as { responses: ReadonlyArray<SubResponse> }
        expect(responses[index]!.status).toBe(alone.status)
      }
      expect((await one(api, { method: "GET", url: "/api/v1/echo" })).body).not.toHaveProperty("polluted")
    }))
})

describe("the answer of a JSON batch", () => {
  it("is in request order, with headers only where a client needs them", () =>
    both(async (api) => {
      const responses = await api.requests([
        { id: "slow", method: "GET", url: "/api/v1/slow?ms=120" },
        { id: "fast", method: "GET", url: "/api/v1/slow?ms=0" },
        post("made", "a"),
        { id: "bad", method: "GET", url: "nowhere" },
        { id: "missing", method: "GET", url: "/api/v1/users/u_none" },
        { id: "x".repeat(256), method: "GET", url: "/health" },
      ])
      expect(responses.map(({ id }) => id)).toEqual(["slow", "fast", "made", "bad", "missing", "x".repeat(256)])
      expect(responses.map((response) => Object.keys(response))).toEqual([
        ["id", "status", "body"],
        ["id", "status", "body"],
        ["id", "status", "headers", "body"],
        ["id", "status", "body"],
        ["id", "status", "body"],
        ["id", "status", "body"],
      ])
      expect(responses[2]!.headers).toEqual({ location: `/api/v1/users/${(responses[2]!.body as User).id}` })
    }))

  it("names the content type of every body at the endpoint for Graph clients", () =>
    both(async (api) => {
      const user = await api.create({ name: "gone" })
      const requests = [
        post("made", "a"),
        { id: "list", method: "GET", url: "/api/v1/users" },
        { id: "missing", method: "GET", url: "/api/v1/users/u_none" },
        { id: "bad", method: "GET", url: "nowhere" },
        { id: "gone", method: "DELETE", url: `/api/v1/users/${user.id}` },
      ]
      const { status, body } = await api.ask("POST", "/api/v1/$batch", { body: { requests } })
      expect(status).toBe(200)
      const { responses } = body as { responses: ReadonlyArray<SubResponse> }
      expect(responses.map(({ headers }) => headers)).toEqual([
        { location: expect.stringMatching(/^\/api/), "Content-Type": "application/json; charset=utf-8" },
        { "Content-Type": "application/json; charset=utf-8" },
        { "Content-Type": "application/problem+json" },
        { "Content-Type": "application/problem+json" },
        undefined,
      ])
    }))
})
