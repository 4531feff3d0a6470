import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { CostFunction } from "../../src/quota/QuotaOptions.ts"
import { memoryQuotaStore } from "../../src/quota/memoryQuotaStore.ts"
import { memoryIdempotencyStore } from "../../src/idempotency/memoryIdempotencyStore.ts"
import { resource } from "../../src/resources/Resource.ts"
import type { BatchOptions } from "../../src/api/BatchOptions.ts"
import { FakeDatabase } from "../support/FakeDatabase.ts"
import { make, send } from "../support/endpoints.ts"
import { batchOf, brokenStore, endpointWith, invalidCosts, remainingUnits, things } from "../support/quota.ts"

const tenPerHour = { operations: 10, per: "1 hour" }

describe("a quota", () => {
  it("is charged per operation and reported in every response", async () => {
    const { send } = endpointWith(tenPerHour)
    const { status, headers } = await send(batchOf(4))
    expect(status).toBe(200)
    expect(headers["ratelimit-policy"]).toBe(`"ops";q=10;w=3600`)
    expect(headers["ratelimit"]).toBe(`"ops";r=6;t=1440`)
  })

  it("refuses a batch that does not fit without charging it", async () => {
    const { send } = endpointWith(tenPerHour)
    await send(batchOf(6))
    const refused = await send(batchOf(5))
    expect(refused.status).toBe(429)
    expect(refused.json).toMatchObject({
      type: "https://iana.org/assignments/http-problem-types#quota-exceeded",
      code: "RATE_LIMITED",
      "violated-policies": ["ops"],
    })
    const fitsAfter = Number(/;t=(\d+)/.exec(refused.headers["ratelimit"]!)![1])
    expect(fitsAfter).toBe(360)
    const retryAfter = Number(refused.headers["retry-after"])
    expect(retryAfter).toBeGreaterThanOrEqual(fitsAfter)
    expect(retryAfter).toBeLessThanOrEqual(Math.ceil(fitsAfter * 1.1))
    expect(remainingUnits(refused)).toBe(4)
    expect((await send(batchOf(4))).status).toBe(200)
  })

  it("names the largest batch that fits if a batch never fits", async () => {
    const { send } = endpointWith(tenPerHour)
    const { status, json, headers } = await send(batchOf(11))
    expect(status).toBe(422)
    expect(json).toMatchObject({ code: "BATCH_EXCEEDS_QUOTA", limit: 10, actual: 11 })
    expect(headers).not.toHaveProperty("retry-after")
    expect(remainingUnits({ headers })).toBe(10)
  })

  it("in the mode admit runs the operations that fit and says when the others will", async () => {
    const { send } = endpointWith({ ...tenPerHour, mode: "admit" })
    await send(batchOf(8))
    const { status, json } = await send(batchOf(4))
    expect({ status, json }).toMatchObject({ status: 207, json: { succeeded: 2, failed: 2 } })
    expect(json.results[2].error).toEqual({
      code: "RATE_LIMITED",
      message: "Not run: the quota is used up",
      retryable: true,
      retry_after: 360,
    })
    expect((await send(batchOf(1))).status).toBe(429)
  })

  it("in the mode admit refuses a batch for good only if no single operation could fit", async () => {
    const admitted = await endpointWith({ ...tenPerHour, mode: "admit" }).send(batchOf(11))
    expect(admitted).toMatchObject({ status: 207, json: { succeeded: 10, failed: 1 } })
    const policies = [{ name: "ops", limit: 10, per: "1 hour", weights: { do: 11 } }]
    const never = await endpointWith({ mode: "admit", policies }).send(batchOf(1))
    expect(never).toMatchObject({ status: 422, json: { limit: 0 } })
  })

  it("admits an atomic batch as a whole or not at all", async () => {
    const options: BatchOptions<string> = { unitOfWork: new FakeDatabase() }
    const { send } = endpointWith({ ...tenPerHour, mode: "admit" }, options)
    await send(batchOf(8))
    expect((await send({ ...batchOf(4), atomic: true })).status).toBe(429)
    expect((await send({ ...batchOf(2), atomic: true })).status).toBe(200)
  })

  it("with several policies charges none of them if one denies the batch", async () => {
    const policies = [
      { name: "burst", limit: 5, per: "1 hour" },
      { name: "daily", limit: 7, per: "24 hours" },
    ]
    const { send } = endpointWith({ policies })
    const first = await send(batchOf(4))
    expect(first.headers["ratelimit"]).toMatch(/^"burst";r=1;t=\d+, "daily";r=3;t=\d+$/)
    const second = await send(batchOf(2))
    expect(second.json["violated-policies"]).toEqual(["burst"])
    expect(second.headers["ratelimit"]).toMatch(/^"burst";r=1;t=\d+, "daily";r=3;t=\d+$/)
  })

  it("is separate for each caller and shared by all endpoints", async () => {
    const batch = make<string>({ quota: tenPerHour, tenant: (caller) => caller })
    const one = batch.operations(things)
    const other = batch.operations(things)
    expect(remainingUnits(await send(one, batchOf(4), { raw: "a" }))).toBe(6)
    expect(remainingUnits(await send(other, batchOf(4), { raw: "a" }))).toBe(2)
    expect(remainingUnits(await send(one, batchOf(4), { raw: "b" }))).toBe(6)
  })

  it("is shared by all callers without a tenant function", async () => {
    const endpoint = make({ quota: tenPerHour }).operations(things)
    expect(remainingUnits(await send(endpoint, batchOf(4), { raw: "a" }))).toBe(6)
    expect(remainingUnits(await send(endpoint, batchOf(4), { raw: "b" }))).toBe(2)
  })

  it("is reported with refused batches, which are not charged", async () => {
    const { send } = endpointWith(tenPerHour)
    const { status, headers } = await send({ operations: [] })
    expect({ status, headers }).toMatchObject({ status: 400, headers: { ratelimit: `"ops";r=10;t=0` } })
  })

  it("is part of the endpoint's description", () => {
    const { endpoint } = endpointWith({ ...tenPerHour, batches: { limit: 3, per: 1000 } })
    expect(JSON.parse(endpoint.describe().body).quota).toEqual({
      mode: "reject",
      policies: [
        { name: "ops", limit: 10, window_ms: 3_600_000 },
        { name: "batches", limit: 3, window_ms: 1000 },
      ],
    })
  })
})

describe("the cost of a batch", () => {
  const withCost = (cost: CostFunction | "batch" | "weighted" | { base: number; perOperation: number }) =>
    endpointWith({ policies: [{ name: "ops", limit: 10, per: "1 hour", cost }] })

  it.each([
    ["one unit for the batch", "batch" as const, 9],
    ["1 + 0.1 × n", "weighted" as const, 8],
    ["a base, and units for each operation", { base: 2, perOperation: 0.5 }, 5],
    ["a number from a function", () => 2.5, 7],
    ["a number per operation from a function", () => [1, 2, 1, 0, 0.5, 0.5], 5],
  ])("may be %s", async (_, cost, remaining) => {
    expect(remainingUnits(await withCost(cost).send(batchOf(6)))).toBe(remaining)
  })

  it("may differ by action", async () => {
    const policies = [{ name: "ops", limit: 10, per: "1 hour", weights: { many: 3, do: 0 } }]
    const { operations } = batchOf(2)
    const { send } = endpointWith({ policies })
    expect(remainingUnits(await send({ operations: [...operations, ...batchOf(1, "many").operations] }))).toBe(7)
  })

  it("fails the batch if a function returns no valid cost", async () => {
    await fc.assert(
      fc.asyncProperty(invalidCosts, fc.boolean(), async (cost, isPerOperation) => {
        const errors: Array<unknown> = []
        const { send } = endpointWith(
          {
            policies: [
              { name: "ops", limit: 10, per: "1 hour", cost: () => (isPerOperation ? [1, cost] : cost) as number },
            ],
          },
          { onUnexpected: (error) => errors.push(error) },
        )
        expect((await send(batchOf(2))).status).toBe(500)
        expect(String(errors[0])).toContain(`"ops"`)
      }),
    )
  })
})

describe("operations that are not charged", () => {
  it("are those that were refused before they could run", async () => {
    const { send } = endpointWith(tenPerHour)
    const response = await send({ operations: [...batchOf(2).operations, { action: "unknown" }, 5] })
    expect({ failed: response.json.failed, remaining: remainingUnits(response) }).toEqual({ failed: 2, remaining: 8 })
  })

  it("are replays and duplicates, and operations of a replayed batch", async () => {
    const { send } = endpointWith(tenPerHour, { idempotency: { store: memoryIdempotencyStore() } })
    const keyed = (...keys: ReadonlyArray<string>) => ({
      operations: keys.map((key) => ({ action: "do", data: 1, idempotency_key: key })),
    })
    expect(remainingUnits(await send(keyed("k1", "k2", "k1")))).toBe(8)
    const mixed = await send(keyed("k1", "k2", "k3"))
    expect({ replayed: mixed.json.replayed, remaining: remainingUnits(mixed) }).toEqual({ replayed: 2, remaining: 7 })
    const headers = { "idempotency-key": "whole" }
    expect(remainingUnits(await send(batchOf(3), { headers }))).toBe(4)
    const again = await send(batchOf(3), { headers })
    expect(again.headers["idempotency-replayed"]).toBe("true")
    expect(remainingUnits(again)).toBe(4)
  })

  it("are those over quota, whose idempotency keys stay free", async () => {
    const { send } = endpointWith(
      { ...tenPerHour, mode: "admit" },
      { idempotency: { store: memoryIdempotencyStore() } },
    )
    await send(batchOf(9))
    const keyed = { operations: ["k1", "k2"].map((key) => ({ action: "do", data: 1, idempotency_key: key })) }
    const first = await send(keyed)
    expect(first.json.results.map(({ status }: { status: string }) => status)).toEqual(["success", "error"])
    const second = await send(keyed)
    expect(second.json).toMatchObject({ succeeded: 1, failed: 1, replayed: 1 })
    expect(second.json.results[1].error.code).toBe("RATE_LIMITED")
  })
})

describe("refunded operations", () => {
  it("are those that did not start because of earlier failures", async () => {
    const { send } = endpointWith(tenPerHour, { concurrency: "sequential" })
    const response = await send({ ...batchOf(5, "fail"), stop_after: 2 })
    expect({ skipped: response.json.skipped, remaining: remainingUnits(response) }).toEqual({
      skipped: 3,
      remaining: 8,
    })
    expect(remainingUnits(await send({ operations: [] }))).toBe(8)
  })

  it("are those that did not start before the deadline", async () => {
    const { send } = endpointWith(tenPerHour, { concurrency: 2, limits: { deadline: 30 } })
    expect(remainingUnits(await send(batchOf(5, "wait")))).toBe(8)
  })

  it("are those that did not start before the client disconnected", async () => {
    const client = new AbortController()
    const { send } = endpointWith(tenPerHour, { concurrency: 2, limits: { deadline: 100 } })
    setTimeout(() => client.abort(), 10)
    await send(batchOf(5, "wait"), { signal: client.signal })
    expect(remainingUnits(await send({ operations: [] }))).toBe(8)
  })

  it("are those that a rolled-back batch did not start", async () => {
    const { send } = endpointWith(tenPerHour, { unitOfWork: new FakeDatabase() })
    const operations = [...batchOf(2).operations, ...batchOf(1, "fail").operations, ...batchOf(4).operations]
    const response = await send({ operations, atomic: true })
    expect({ failedIndex: response.json.failed_index, remaining: remainingUnits(response) }).toEqual({
      failedIndex: 2,
      remaining: 7,
    })
  })

  it("are not those that ran and failed", async () => {
    expect(remainingUnits(await endpointWith(tenPerHour).send(batchOf(5, "fail")))).toBe(5)
  })

  it("include the base only if no operation of the batch started", async () => {
    const policies = [{ name: "ops", limit: 10, per: "1 hour", cost: "weighted" as const }]
    const disconnected = AbortSignal.abort()
    const { send } = endpointWith({ policies }, { concurrency: 1, limits: { deadline: 20 } })
    await send(batchOf(5), { signal: disconnected })
    expect(remainingUnits(await send({ operations: [] }))).toBe(10)
    expect(remainingUnits(await send(batchOf(5, "wait")))).toBe(8)
  })
})

describe("a policy that counts batches", () => {
  it("counts every batch, replays included, and is reported last", async () => {
    const { send } = endpointWith(
      { ...tenPerHour, batches: { limit: 3, per: "1 hour" } },
      { idempotency: { store: memoryIdempotencyStore() } },
    )
    const headers = { "idempotency-key": "whole" }
    const first = await send(batchOf(2), { headers })
    expect(first.headers["ratelimit"]).toMatch(/^"ops";r=8;t=\d+, "batches";r=2;t=\d+$/)
    expect((await send(batchOf(2), { headers })).headers["idempotency-replayed"]).toBe("true")
    expect((await send(batchOf(9))).status).toBe(429)
    const refused = await send(batchOf(2), { headers })
    expect(refused).toMatchObject({ status: 429, json: { "violated-policies": ["batches"] } })
  })
})

describe("an unavailable store", () => {
  it.each(["hangs", "fails"] as const)(
    "that %s is replaced by a local store with a share of the quota",
    async (fault) => {
      const { send } = endpointWith({ ...tenPerHour, store: brokenStore(fault), timeout: 50 })
      const { status, headers } = await send(batchOf(5))
      expect(status).toBe(200)
      expect(headers).not.toHaveProperty("ratelimit")
      const refused = await send(batchOf(1))
      expect(refused).toMatchObject({
        status: 503,
        json: { code: "STORE_UNAVAILABLE" },
        headers: { "retry-after": "1" },
      })
    },
  )

  it("is not reported as an exceeded quota", async () => {
    const { send } = endpointWith({ ...tenPerHour, batches: { limit: 2, per: "1 hour" }, store: brokenStore("fails") })
    expect((await send(batchOf(1))).status).toBe(200)
    const refused = await send(batchOf(1))
    expect(refused).toMatchObject({ status: 503, json: { code: "STORE_UNAVAILABLE" } })
  })

  it("admits every batch or refuses every batch, as configured", async () => {
    const open = endpointWith({ ...tenPerHour, store: brokenStore("fails"), onStoreError: "allow" })
    expect((await open.send(batchOf(10))).status).toBe(200)
    expect((await open.send(batchOf(10))).status).toBe(200)
    const closed = endpointWith({ ...tenPerHour, store: brokenStore("fails"), onStoreError: "refuse" })
    expect((await closed.send(batchOf(1))).status).toBe(503)
  })

  it("is not called again at once", async () => {
    let calls = 0
    const store = brokenStore("fails")
    const counting = {
      ...store,
      charge: (...args: Parameters<typeof store.charge>) => (calls++, store.charge(...args)),
    }
    const { send } = endpointWith({ ...tenPerHour, store: counting })
    await send(batchOf(1))
    await send(batchOf(1))
    expect(calls).toBe(1)
  })
})

describe("quota options", () => {
  it.each<[string, BatchOptions["quota"], string]>([
    ["no limit", {}, `"operations" and "per"`],
    ["both forms", { ...tenPerHour, policies: [{ name: "a", limit: 1, per: 1000 }] }, `either "policies", or`],
    ["an invalid time", { operations: 1, per: "soon" }, `"quota.per" must be a duration`],
    ["a time of 0", { operations: 1, per: 0 }, `"quota.per" must be a duration`],
    ["fractions of milliseconds", { operations: 1, per: 1.5 }, `"quota.per" must be a duration`],
    ["too many decimals", { operations: 1.0001, per: 1000 }, "three decimals"],
    ["a window below a second", { operations: 1, per: 60 }, `"quota.per" must be a duration`],
    ["a window of a policy below a second", { policies: [{ name: "a", limit: 1, per: 999 }] }, "The minimum is 1s"],
    ["a limit of 0", { operations: 0, per: 1000 }, "greater than 0"],
    ["an infinite limit", { operations: Number.POSITIVE_INFINITY, per: 1000 }, "quota"],
    ["a limit beyond 2^53", { operations: 2 ** 53, per: 1000 }, "quota.operations"],
    ["a name that is not allowed in headers", { policies: [{ name: `a";q=9`, limit: 1, per: 1000 }] }, "name"],
    ["negative weights", { policies: [{ name: "a", limit: 1, per: 1000, weights: { do: -1 } }] }, "weights"],
    [
      "weights beside a function",
      { policies: [{ name: "a", limit: 1, per: 1000, cost: () => 1, weights: { x: 1 } }] },
      `a cost function and "weights"`,
    ],
  ])("reject %s", (_, quota, message) => {
    expect(() => make({ quota })).toThrow(message)
  })

  it("reject two policies with the same name", () => {
    const sameNames = { policies: [1, 2].map((limit) => ({ name: "a", limit, per: 1000 })) }
    expect(() => make({ quota: sameNames })).toThrow(`"a"`)
  })
})

describe("quota headers", () => {
  it("use the names of draft 11, include legacy headers, or are left out, as configured", async () => {
    const draft11 = await endpointWith({ ...tenPerHour, headers: "draft-11", legacyHeaders: true }).send(batchOf(4))
    expect(draft11.headers).toMatchObject({
      ratelimit: `"ops";a=6;w=1440`,
      "x-ratelimit-limit": "10",
      "x-ratelimit-remaining": "6",
      "x-ratelimit-reset": "1440",
    })
    const none = await endpointWith({ ...tenPerHour, headers: "none" }).send(batchOf(4))
    expect(Object.keys(none.headers).filter((name) => name.includes("ratelimit"))).toEqual([])
  })
})

describe("a quota in a given store", () => {
  it("is shared by all endpoints that use the store", async () => {
    const store = memoryQuotaStore()
    expect(remainingUnits(await endpointWith({ ...tenPerHour, store }).send(batchOf(4)))).toBe(6)
    expect(remainingUnits(await endpointWith({ ...tenPerHour, store }).send(batchOf(4)))).toBe(2)
  })

  it("does not apply to an endpoint without a quota", async () => {
    const batch = make<string>({ quota: tenPerHour, tenant: (caller) => caller })
    const free = batch.operations(resource("free", { do: { identified: false, run: () => ({}) } }), {
      quota: undefined,
    })
    expect((await send(free, batchOf(100), { raw: "a" })).status).toBe(200)
  })
})
