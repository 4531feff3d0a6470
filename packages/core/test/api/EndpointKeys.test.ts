import { describe, expect, it } from "vitest"
import * as EndpointKeys from "../../src/api/EndpointKeys.ts"
import { createBatch } from "../../src/api/createBatch.ts"
import type { BatchOptions } from "../../src/api/BatchOptions.ts"
import { memoryIdempotencyStore } from "../../src/idempotency/memoryIdempotencyStore.ts"
import { memoryJobs } from "../../src/jobs/memoryJobs.ts"
import { resource } from "../../src/resources/Resource.ts"
import { send } from "../support/endpoints.ts"

const key = { "idempotency-key": "k" }

const counting = (options: BatchOptions = {}) => {
  let runs = 0
  const items = resource("items", { create: { run: () => ({ id: String(++runs) }) } })
  const batch = createBatch({ tenant: () => "a", ...options })
  const create = (url: string, headers: Record<string, string> = key, more: object = {}) =>
    send(batch.operations(items), { operations: [{ action: "create", data: {}, ...more }] }, { url, headers })
  return { batch, create, runs: () => runs }
}

describe("the key of a batch", () => {
  const idempotency = () => ({ store: memoryIdempotencyStore() })

  it("counts for the path as it was sent, in its letter case", async () => {
    const { create, runs } = counting({ idempotency: idempotency() })
    await create("/org/ABC/batch")
    expect((await create("/org/abc/batch")).headers["idempotency-replayed"]).toBeUndefined()
    expect(runs()).toBe(2)
  })

  it("counts for the path of an absolute URL and for any query", async () => {
    const { create, runs } = counting({ idempotency: idempotency() })
    await create("/org/ABC/batch")
    for (const url of ["http://example.com/org/ABC/batch", "/org/ABC/batch?a=1"]) {
      expect((await create(url)).headers["idempotency-replayed"]).toBe("true")
    }
    expect(runs()).toBe(1)
  })

  it("counts for one query if includeQuery is set", async () => {
    const { create, runs } = counting({ idempotency: { ...idempotency(), includeQuery: true } })
    await create("/batch?org=1")
    await create("/batch?org=2")
    expect((await create("/batch?org=1")).headers["idempotency-replayed"]).toBe("true")
    expect(runs()).toBe(2)
  })
})

describe("scopeOf", () => {
  it("keeps routes apart, and is undefined without a URL", () => {
    const scope = (route: string | undefined) => EndpointKeys.scopeOf({ url: "/a/batch", route }, "requests", false)
    expect(new Set([scope("/a/batch"), scope("/:org/batch"), scope(undefined)]).size).toBe(3)
    expect(EndpointKeys.scopeOf({}, "requests", false)).toBeUndefined()
  })
})

describe("an endpoint without idempotency", () => {
  it.each([
    ["the key of a batch", key, {}],
    ["the key of an operation", {}, { idempotency_key: "k" }],
  ])("says in its answer that it does not support %s", async (_, headers, more) => {
    expect((await counting().create("/batch", headers, more)).headers["idempotency-status"]).toBe("not-supported")
  })

  it("says so for the key of a sub-request", async () => {
    const reply = { status: 200, headers: {}, body: new Uint8Array(), text: "" }
    const endpoint = createBatch().requests(async () => reply)
    const request = { id: "a", method: "GET", url: "/", headers: { "Idempotency-Key": "k" } }
    expect((await send(endpoint, { requests: [request] })).headers["idempotency-status"]).toBe("not-supported")
    const { headers: _, ...unkeyed } = request
    expect((await send(endpoint, { requests: [unkeyed] })).headers["idempotency-status"]).toBeUndefined()
  })

  it("says so for the operations of a job, and honours the key of the job", async () => {
    const { batch, create } = counting({ jobs: { engine: memoryJobs() } })
    const headers = { prefer: "respond-async", ...key }
    const first = await create("/batch", headers, { idempotency_key: "k" })
    expect([first.status, first.headers["idempotency-status"]]).toEqual([202, "not-supported"])
    await batch.close()
  })

  it("says nothing where no key was sent", async () => {
    expect((await counting().create("/batch", {})).headers["idempotency-status"]).toBeUndefined()
  })
})

describe("Prefer: handling=strict", () => {
  it("is applied, and refuses a batch with a preference that the endpoint does not know", async () => {
    const { create, runs } = counting()
    const applied = await create("/batch", { prefer: "return=representation, handling=strict" })
    expect(applied.headers["preference-applied"]).toBe("return=representation, handling=strict")
    const refused = await create("/batch", { prefer: "handling=strict, respond-async" })
    expect([refused.status, refused.json.code, runs()]).toEqual([400, "INVALID_BATCH", 1])
  })
})
