import { describe, expect, it } from "vitest"
import * as z from "zod"
import type { BulkOptions } from "../../src/api/BulkOptions.ts"
import type { OperationsOptions } from "../../src/api/OperationsOptions.ts"
import type { RequestsOptions } from "../../src/api/RequestsOptions.ts"
import { memoryIdempotencyStore } from "../../src/idempotency/memoryIdempotencyStore.ts"
import { memoryJobs } from "../../src/jobs/memoryJobs.ts"
import { resource, type Resource } from "../../src/resources/Resource.ts"
import { make, send, users } from "../support/endpoints.ts"
import { codes } from "../support/putEndpoint.ts"

type Given = Readonly<Record<string, unknown>>

const sendNothing = async () => ({ status: 200, headers: {}, body: new Uint8Array(), text: "" })

describe("the options of an endpoint", () => {
  it("pass if they are correct", () => {
    const answer = { results: "failed+ids", data: true, status: "207" } as const
    const shared = { limits: { operations: 5 }, concurrency: 1 } as const
    make().bulk(users, "create", {
      name: "users.import",
      list: "people",
      count: "added",
      successStatus: 200,
      idempotencyKey: () => undefined,
      orderBy: () => "x",
      ...answer,
      ...shared,
    })
    make().operations(users, { name: "all", orderBy: () => undefined, ...answer, ...shared })
    make().requests(sendNothing, {
      headers: { inherit: ["x-tenant"], credentials: ["X-Api-Key"], ownCredentials: false },
      exposeHeaders: ["x-total"],
      requireTransaction: () => true,
      contentType: true,
      ...shared,
    })
  })

  it.each<[string, Given]>([
    ["list", { list: "" }],
    ["count", { count: 5 }],
    ["successStatus", { successStatus: 404 }],
    ["successStatus", { successStatus: "201" }],
    ["idempotencyKey", { idempotencyKey: "external_id" }],
    ["orderBy", { orderBy: "id" }],
    ["results", { results: "failures" }],
    ["data", { data: "yes" }],
    ["status", { status: "201" }],
    ["pages", { pages: 1 }],
    ["limits.depth", { limits: { depth: 0 } }],
  ])("name %s of a bulk endpoint if it is wrong: %j", (path, options) => {
    expect(() => make().bulk(users, "create", options as BulkOptions)).toThrow(TypeError)
    expect(() => make().bulk(users, "create", options as BulkOptions)).toThrow(`"${path}"`)
  })

  it.each<[string, Given]>([
    ["orderBy", { orderBy: [] }],
    ["results", { results: true }],
    ["status", { status: 200 }],
    ["list", { list: "users" }],
  ])("name %s of an operations endpoint if it is wrong: %j", (path, options) => {
    expect(() => make().operations(users, options as OperationsOptions)).toThrow(TypeError)
    expect(() => make().operations(users, options as OperationsOptions)).toThrow(`"${path}"`)
  })

  // A sub-request could bring a credential that the rules do not recognise as one.
  it.each<[string, Given]>([
    ["headers.credentials", { headers: { credentials: "x-api-key" } }],
    ["headers.credential", { headers: { credential: ["x-api-key"] } }],
    ["headers.credentials", { headers: { credentials: ["x api key"] } }],
    ["headers.inherit", { headers: { inherit: [""] } }],
    ["headers.ownCredentials", { headers: { ownCredentials: 1 } }],
    ["headers", { headers: null }],
    ["exposeHeaders", { exposeHeaders: "etag" }],
    ["requireTransaction", { requireTransaction: true }],
    ["contentType", { contentType: "json" }],
    ["data", { data: true }],
  ])("name %s of a JSON batch if it is wrong: %j", (path, options) => {
    expect(() => make().requests(sendNothing, options as RequestsOptions)).toThrow(TypeError)
    expect(() => make().requests(sendNothing, options as RequestsOptions)).toThrow(`"${path}"`)
  })

  it("suggest the nearest of all names that the endpoint knows", () => {
    const wrong = (options: Given) => () => make().bulk(users, "create", options as BulkOptions)
    expect(wrong({ succesStatus: 200 })).toThrow(`Did you mean "successStatus"?`)
    expect(wrong({ idempotency_key: () => "k" })).toThrow(`Did you mean "idempotencyKey"?`)
    expect(wrong({ limit: {} })).toThrow(`Did you mean "limits"?`)
  })

  it.each<[string, BulkOptions]>([
    ["jobs", { jobs: { engine: memoryJobs() } }],
    ["limits.concurrentBatches", { limits: { concurrentBatches: 1 } }],
    ["limits.concurrentBatchesPerTenant", { limits: { concurrentBatchesPerTenant: 1 } }],
  ])("do not include %s, which apply to all endpoints", (path, options) => {
    expect(() => make().bulk(users, "create", options)).toThrow(`"${path}" applies to all endpoints together`)
  })
})

describe("a bulk endpoint", () => {
  const actions = resource("users", { archive: { run: () => {} }, import: { identified: false, run: () => ({}) } })

  it.each([
    ["create", "created"],
    ["update", "updated"],
    ["delete", "deleted"],
  ] as const)("counts what %s has changed as %s", async (action, count) => {
    const { json } = await send(make().bulk(users, action), { users: [{ id: "u_1" }, { id: "u_2" }] })
    expect(Object.keys(json)).toEqual([count, "users"])
    expect(json[count]).toBe(2)
  })

  it("has no count member for another action", async () => {
    const { json } = await send(make().bulk(actions, "archive"), { users: ["a"] })
    expect(json).toEqual({ users: [{ id: "a" }] })
    const failing = resource("users", { archive: { run: (_, { id }) => (id === "a" ? {} : Promise.reject(id)) } })
    const mixed = await send(make({ onUnexpected: () => {} }).bulk(failing, "archive"), { users: ["a", "b"] })
    expect(Object.keys(mixed.json)).toEqual(["status", "succeeded", "failed", "results"])
  })

  it("has the count member and the list that its options name", async () => {
    const options = { count: "archived", list: "ids", successStatus: 202 }
    const { status, json } = await send(make().bulk(actions, "archive", options), { ids: ["a"] })
    expect(status).toBe(202)
    expect(json).toEqual({ archived: 1, ids: [{ id: "a" }] })
  })

  it("refuses only the items for which a function of the application throws", async () => {
    const options = { idempotency: { store: memoryIdempotencyStore() }, tenant: () => "acme" }
    const keyed = make(options).bulk(
      resource("users", { create: { input: z.object({ key: z.string() }), run: () => ({}) } }),
      "create",
      {
        idempotencyKey: (user) => user.key.toLowerCase(),
      },
    )
    const { json } = await send(keyed, { users: [{ key: "a" }, { key: 7 }, "text"] })
    expect(codes(json)).toEqual(["success", "error VALIDATION_ERROR", "error VALIDATION_ERROR"])
    const accounts = resource("users", { update: { input: z.object({ account: z.string() }), run: () => ({}) } })
    const orderBy = ({ data }: { readonly data: { readonly account: string } }) => data.account.toLowerCase()
    const ordered = await send(make().bulk(accounts, "update", { orderBy }), {
      users: [{ id: "1", account: "A" }, "2"],
    })
    expect(codes(ordered.json)).toEqual(["success", "error VALIDATION_ERROR"])
    const mixed = await send(make().operations(accounts, { orderBy }), {
      operations: [
        { action: "update", id: "1", data: { account: "A" } },
        { action: "update", id: "2" },
      ],
    })
    expect(codes(mixed.json)).toEqual(["success", "error VALIDATION_ERROR"])
  })

  it("is not made of an action that the resource does not have", () => {
    const untyped: Resource = users
    expect(() => make().bulk(untyped, "archive")).toThrow(`no action "archive". It has: create, update, delete`)
    expect(() => make().bulk(untyped, "toString")).toThrow(TypeError)
  })
})

describe("an endpoint", () => {
  it.each([undefined, {}, { create: { run: () => 1 } }])("is not made of %j instead of a resource", (given) => {
    const notAResource = given as unknown as typeof users
    expect(() => make().operations(notAResource)).toThrow("needs a resource")
    expect(() => make().bulk(notAResource, "create")).toThrow("needs a resource")
  })

  it("for sub-requests is not made without a function that sends them", () => {
    expect(() => make().requests(undefined as never)).toThrow("sends its sub-requests")
  })
})
