import { describe, expect, it } from "vitest"
import { checkBulk, checkOperations, checkRequests } from "../../src/api/EndpointOptions.ts"
import type { BulkOptions, OperationsOptions, RequestsOptions } from "../../src/api/createBatch.ts"
import { make, users } from "../support/endpoints.ts"

type Given = Readonly<Record<string, unknown>>

describe("the options of an endpoint", () => {
  it("pass where they are what they have to be", () => {
    const answer = { results: "failed+ids", data: true, status: "207" }
    const idempotencyKey = () => undefined
    checkBulk({ list: "people", count: "added", good: 200, idempotencyKey, orderBy: () => "x", ...answer })
    checkOperations({ orderBy: () => undefined, ...answer })
    checkRequests({
      headers: { inherit: ["x-tenant"], credentials: ["X-Api-Key"], ownCredentials: false },
      exposeHeaders: ["x-total"],
      requireTransaction: () => true,
      contentType: true,
    })
  })

  it.each<[Given, string]>([
    [{ list: "" }, "list"],
    [{ count: 5 }, "count"],
    [{ good: 404 }, "good"],
    [{ good: "201" }, "good"],
    [{ idempotencyKey: "external_id" }, "idempotencyKey"],
    [{ orderBy: "id" }, "orderBy"],
    [{ results: "failures" }, "results"],
    [{ data: "yes" }, "data"],
    [{ status: "201" }, "status"],
    [{ pages: 1 }, "pages"],
  ])("of a bulk endpoint cannot be %j", (options, culprit) => {
    expect(() => make().bulk(users, "create", options as BulkOptions)).toThrow(TypeError)
    expect(() => make().bulk(users, "create", options as BulkOptions)).toThrow(culprit)
  })

  it.each<[Given, string]>([
    [{ orderBy: [] }, "orderBy"],
    [{ results: true }, "results"],
    [{ status: 200 }, "status"],
    [{ list: "users" }, "list"],
  ])("of an operations endpoint cannot be %j", (options, culprit) => {
    expect(() => make().operations(users, options as OperationsOptions)).toThrow(TypeError)
    expect(() => make().operations(users, options as OperationsOptions)).toThrow(culprit)
  })

  // A credential that is not recognised as one could be brought by a sub-request.
  it.each<[Given, string]>([
    [{ headers: { credentials: "x-api-key" } }, "credentials"],
    [{ headers: { credential: ["x-api-key"] } }, "credential"],
    [{ headers: { credentials: ["x api key"] } }, "credentials"],
    [{ headers: { inherit: [""] } }, "inherit"],
    [{ headers: { ownCredentials: 1 } }, "ownCredentials"],
    [{ headers: null }, "headers"],
    [{ exposeHeaders: "etag" }, "exposeHeaders"],
    [{ requireTransaction: true }, "requireTransaction"],
    [{ contentType: "json" }, "contentType"],
    [{ data: true }, "data"],
  ])("of a JSON batch cannot be %j", (options, culprit) => {
    const send = async () => ({ status: 200, headers: {}, body: new Uint8Array(), text: "" })
    expect(() => make().requests(send, options as RequestsOptions)).toThrow(TypeError)
    expect(() => make().requests(send, options as RequestsOptions)).toThrow(culprit)
  })
})

describe("an endpoint", () => {
  it.each([undefined, {}, { create: { run: () => 1 } }])("is not made of %j instead of a resource", (given) => {
    const resource = given as unknown as typeof users
    expect(() => make().operations(resource)).toThrow("needs a resource")
    expect(() => make().bulk(resource, "create")).toThrow("needs a resource")
  })

  it("of sub-requests is not made of nothing to send them with", () => {
    expect(() => make().requests(undefined as never)).toThrow("sends its sub-requests")
  })
})
