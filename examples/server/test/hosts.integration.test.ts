import type { OpenedDatabase } from "@multistatus/store-sql"
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest"

import { readConfiguration } from "../src/Configuration.ts"
import { expressHost } from "../src/expressHost.ts"
import { fastifyHost } from "../src/fastifyHost.ts"
import type { Tables } from "../src/Tables.ts"
import { Users } from "../src/Users.ts"
import { openTables } from "./databases.ts"

const hosts = { express: expressHost, fastify: fastifyHost }
const configuration = readConfiguration({ MAX_BODY_BYTES: "20000" })

// What a database answers is tested with `Users`, on each of them.
const cases = [
  ["express", "sqlite"],
  ["fastify", "postgres"],
] as const

const json = { "content-type": "application/json" }

describe.each(cases)("single routes (%s, %s)", (framework, kind) => {
  let database: OpenedDatabase<Tables>
  let host: Awaited<ReturnType<(typeof hosts)[typeof framework]>>
  let origin: string

  beforeAll(async () => {
    database = await openTables(kind)
    host = await hosts[framework](new Users(database), configuration)
    origin = `http://127.0.0.1:${await host.listen(0)}`
  })
  beforeEach(() => database.db.deleteFrom("users").execute())
  afterAll(async () => {
    await host.close()
    await database.close()
  })

  const send = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const response = await fetch(origin + path, {
      method,
      headers: { ...(body !== undefined && json), ...headers },
      ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    return {
      status: response.status,
      headers: response.headers,
      body: text === "" ? null : (JSON.parse(text) as { readonly id: string }),
    }
  }

  const problem = (status: number, title: string, code: string, message: string, more: object = {}) => ({
    type: "about:blank",
    title,
    status,
    detail: message,
    code,
    message,
    ...more,
  })

  const refused = async (answer: ReturnType<typeof send>, ...expected: Parameters<typeof problem>) => {
    const { status, headers, body } = await answer
    expect(body).toEqual(problem(...expected))
    expect(status).toBe(expected[0])
    expect(headers.get("content-type")).toBe("application/problem+json")
  }

  it("creates, finds, changes, lists and removes a user", async () => {
    const created = await send("POST", "/api/v1/users", { name: "Alice", email: "alice@example.com", age: 7 })
    const user = created.body ?? { id: "" }
    expect(user).toEqual({ id: expect.stringMatching(/^u_/), name: "Alice", email: "alice@example.com", age: 7 })
    expect(created.status).toBe(201)
    expect(created.headers.get("location")).toBe(`/api/v1/users/${user.id}`)
    expect(created.headers.get("content-type")).toBe("application/json; charset=utf-8")
    expect(created.headers.get("etag")).toBeNull()

    const path = `/api/v1/users/${user.id}`
    expect(await send("GET", path)).toMatchObject({ status: 200, body: user })
    expect(await send("PATCH", path, { name: "Alice Smith" })).toMatchObject({
      status: 200,
      body: { ...user, name: "Alice Smith" },
    })
    expect(await send("GET", "/api/v1/users")).toMatchObject({
      status: 200,
      body: { users: [{ ...user, name: "Alice Smith" }] },
    })
    expect(await send("DELETE", path)).toMatchObject({ status: 204, body: null })
    await refused(send("GET", path), 404, "Not Found", "NOT_FOUND", `User ${user.id} not found`)
  })

  it("lists the requested number of users in the order of their creation", async () => {
    for (const name of ["a", "b", "c"]) await send("POST", "/api/v1/users", { name })
    expect(await send("GET", "/api/v1/users?limit=2")).toMatchObject({
      body: { users: [{ name: "a" }, { name: "b" }] },
    })
    expect(await send("GET", "/api/v1/users?limit=100000")).toMatchObject({ body: { users: [{}, {}, { name: "c" }] } })
  })

  it.each(["0", "100001", "-1", "x", "1.5", "", "1&limit=2"])("refuses limit=%s", async (limit) => {
    const message = "limit must be a whole number from 1 to 100000"
    const answer = send("GET", `/api/v1/users?limit=${limit}`)
    await refused(answer, 422, "Unprocessable Entity", "VALIDATION_ERROR", message, { field: "limit" })
  })

  it.each([
    [{ name: "A", email: "nope" }, "Invalid email format", { field: "email" }],
    [{ name: "A", email: "" }, "Invalid email format", { field: "email" }],
    [{ name: "A", email: 7 }, "Invalid email format", { field: "email" }],
    [{ email: "a@example.com" }, "Name is required", { field: "name" }],
    [{ name: 7 }, "Name must be a string", { field: "name" }],
    [{ name: "" }, "Name must have 1 to 200 characters", { field: "name" }],
    [{ name: "🦊".repeat(201) }, "Name must have 1 to 200 characters", { field: "name" }],
    [{ name: "a\0b" }, "Name must be valid Unicode without NUL", { field: "name" }],
    ['{"name":"\\ud800"}', "Name must be valid Unicode without NUL", { field: "name" }],
    ["[]", "A user must be an object", {}],
    ["null", "A user must be an object", {}],
    ['"text"', "A user must be an object", {}],
    [
      { email: "nope" },
      "Name is required",
      {
        field: "name",
        errors: [
          { field: "name", message: "Name is required" },
          { field: "email", message: "Invalid email format" },
        ],
      },
    ],
  ])("refuses the user %j", async (input, message, more) => {
    const answer = send("POST", "/api/v1/users", input)
    await refused(answer, 422, "Unprocessable Entity", "VALIDATION_ERROR", message, more)
    expect(await send("GET", "/api/v1/users")).toMatchObject({ body: { users: [] } })
  })

  it("accepts a name of 200 characters of any number of bytes", async () => {
    expect(await send("POST", "/api/v1/users", { name: "🦊".repeat(200) })).toMatchObject({ status: 201 })
  })

  it("refuses a wrong patch and a taken email", async () => {
    await send("POST", "/api/v1/users", { name: "Alice", email: "alice@example.com" })
    const { body } = await send("POST", "/api/v1/users", { name: "Bob" })
    const path = `/api/v1/users/${body?.id}`
    await refused(
      send("PATCH", path, { email: "x" }),
      422,
      "Unprocessable Entity",
      "VALIDATION_ERROR",
      "Invalid email format",
      { field: "email" },
    )
    const taken = [409, "Conflict", "DUPLICATE", "Email already exists", { field: "email" }] as const
    await refused(send("PATCH", path, { email: "ALICE@example.com" }), ...taken)
    await refused(send("POST", "/api/v1/users", { name: "Eve", email: "Alice@Example.com" }), ...taken)
  })

  it("assigns ids itself and never lets input reach a prototype", async () => {
    const input =
      '{"id":"u_mine","name":"A","__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}},"deep":{"__proto__":{"admin":true}}}'
    const { body } = await send("POST", "/api/v1/users", input)
    expect(body?.id).not.toBe("u_mine")
    expect(body).not.toHaveProperty("admin")
    expect(({} as { admin?: boolean }).admin).toBeUndefined()
  })

  it.each(["{", "{]", "undefined"])("answers 400 to the body %s", async (text) => {
    const answer = send("POST", "/api/v1/users", text)
    await refused(answer, 400, "Bad Request", "MALFORMED_JSON", "The body is not valid JSON")
  })

  it("refuses a missing body", async () => {
    const invalid = [422, "Unprocessable Entity", "VALIDATION_ERROR", "A user must be an object"] as const
    await refused(send("POST", "/api/v1/users"), ...invalid)
    await refused(send("POST", "/api/v1/users", undefined, json), ...invalid)
  })

  it.each([
    { "content-type": "text/plain" },
    { "content-type": "application/json; charset=latin1" },
    { "content-type": "application/json", "content-encoding": "gzip" },
  ])("answers 415 to a body with %j", async (headers) => {
    const answer = send("POST", "/api/v1/users", "{}", headers as Record<string, string>)
    const message = "The body must be application/json in UTF-8"
    await refused(answer, 415, "Unsupported Media Type", "UNSUPPORTED_MEDIA_TYPE", message)
  })

  it("answers 413 to a body above the limit", async () => {
    const answer = send("POST", "/api/v1/users", { name: "a", more: "x".repeat(20_000) })
    const message = "The body is larger than this server accepts"
    await refused(answer, 413, "Payload Too Large", "PAYLOAD_TOO_LARGE", message)
  })

  it("removes with a JSON content type and no body", async () => {
    const { body } = await send("POST", "/api/v1/users", { name: "A" })
    const path = `/api/v1/users/${body?.id}`
    expect(await send("DELETE", path, undefined, json)).toMatchObject({ status: 204 })
  })

  it.each([
    ["GET", "/nope?x=1", "/nope"],
    ["PUT", "/api/v1/users", "/api/v1/users"],
    ["OPTIONS", "/api/v1/users", "/api/v1/users"],
    ["GET", "/api/v1/users/", "/api/v1/users/"],
    ["GET", "/API/v1/users", "/API/v1/users"],
  ])("answers 404 to %s %s", async (method, path, shown) => {
    await refused(send(method, path), 404, "Not Found", "NOT_FOUND", `Nothing answers ${method} ${shown}`)
  })

  it("answers 404 to an unknown route whatever its body", async () => {
    await refused(send("POST", "/nope", "{"), 404, "Not Found", "NOT_FOUND", "Nothing answers POST /nope")
  })

  it("answers 404 to ids that cannot exist", async () => {
    await refused(send("GET", "/api/v1/users/u_%00"), 404, "Not Found", "NOT_FOUND", "User u_\0 not found")
    const long = "u_".padEnd(900, "x")
    await refused(send("GET", `/api/v1/users/${long}`), 404, "Not Found", "NOT_FOUND", `User ${long} not found`)
  })

  it("answers 400 to a path that does not decode", async () => {
    await refused(send("GET", "/api/v1/users/%zz"), 400, "Bad Request", "INVALID_REQUEST", "The request is malformed")
  })

  it("answers a blocked API key nothing but the health", async () => {
    const blocked = { "x-api-key": "blocked" }
    const unauthorized = [401, "Unauthorized", "UNAUTHORIZED", "This API key is blocked"] as const
    await refused(send("GET", "/api/v1/users", undefined, blocked), ...unauthorized)
    await refused(send("POST", "/api/v1/users", "{", blocked), ...unauthorized)
    await refused(send("GET", "/nope", undefined, blocked), ...unauthorized)
    expect(await send("GET", "/health", undefined, blocked)).toMatchObject({ status: 200, body: { status: "ok" } })
    const several = { "x-api-key": "blocked, demo" }
    await refused(
      send("GET", "/api/v1/users", undefined, several),
      401,
      "Unauthorized",
      "UNAUTHORIZED",
      "Send one API key",
    )
    expect(await send("GET", "/api/v1/users", undefined, { "x-api-key": "other" })).toMatchObject({ status: 200 })
  })

  it("echoes the request", async () => {
    const { body } = await send("GET", "/api/v1/echo?a=1&b", undefined, { "x-trace": "t1" })
    expect(body).toMatchObject({
      method: "GET",
      url: "/api/v1/echo?a=1&b",
      address: "127.0.0.1",
      headers: { "x-trace": "t1", host: origin.replace("http://", "") },
    })
  })

  it("answers as slowly as requested", async () => {
    const begun = performance.now()
    expect(await send("GET", "/api/v1/slow?ms=120")).toMatchObject({ status: 200, body: { ms: 120 } })
    expect(performance.now() - begun).toBeGreaterThan(110)
    await refused(
      send("GET", "/api/v1/slow?ms=soon"),
      422,
      "Unprocessable Entity",
      "VALIDATION_ERROR",
      "ms must be a whole number from 0 to 600000",
      { field: "ms" },
    )
  })

  it("hides an exception from the client and logs it", async () => {
    const logged = vi.spyOn(console, "error").mockImplementation(() => undefined)
    const answer = send("GET", "/api/v1/boom")
    await refused(answer, 500, "Internal Server Error", "INTERNAL", "The request failed unexpectedly")
    expect(logged).toHaveBeenCalledWith(expect.objectContaining({ message: "boom" }))
    logged.mockRestore()
  })
})
