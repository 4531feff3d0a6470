import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { CostFunction } from "../../src/quota/QuotaOptions.ts"
import { memoryQuotaStore } from "../../src/quota/memoryQuotaStore.ts"
import { memoryIdempotencyStore } from "../../src/idempotency/memoryIdempotencyStore.ts"
import { resource } from "../../src/resources/Resource.ts"
import type { BatchOptions } from "../../src/api/BatchOptions.ts"
import { FakeDatabase } from "../support/FakeDatabase.ts"
import { make, send } from "../support/endpoints.ts"
import { batchOf, broken, doings, left, noCosts, under } from "../support/quota.ts"

const tenOf = { operations: 10, per: "1 hour" }

describe("a quota", () => {
  it("is charged by the operation, and told with every answer", async () => {
    const { send } = under(tenOf)
    const { status, headers } = await send(batchOf(4))
    expect(status).toBe(200)
    expect(headers["ratelimit-policy"]).toBe(`"ops";q=10;w=3600`)
    expect(headers["ratelimit"]).toBe(`"ops";r=6;t=1440`)
  })

  it("refuses a batch that does not fit, and charges nothing for it", async () => {
    const { send } = under(tenOf)
    await send(batchOf(6))
    const refused = await send(batchOf(5))
    expect(refused.status).toBe(429)
    expect(refused.json).toMatchObject({
      type: "https://iana.org/assignments/http-problem-types#quota-exceeded",
      code: "RATE_LIMITED",
      "violated-policies": ["ops"],
    })
    const fits = Number(/;t=(\d+)/.exec(refused.headers["ratelimit"]!)![1])
    expect(fits).toBe(360)
    const after = Number(refused.headers["retry-after"])
    expect(after).toBeGreaterThanOrEqual(fits)
    expect(after).toBeLessThanOrEqual(Math.ceil(fits * 1.1))
    expect(left(refused)).toBe(4)
    expect((await send(batchOf(4))).status).toBe(200)
  })

  it("names the largest batch that could ever fit", async () => {
    const { send } = under(tenOf)
    const { status, json, headers } = await send(batchOf(11))
    expect([status, json.code, json.limit, json.actual]).toEqual([422, "BATCH_EXCEEDS_QUOTA", 10, 11])
    expect(headers).not.toHaveProperty("retry-after")
    expect(left({ headers })).toBe(10)
  })

  it("admits the operations that fit, and says of the others when they will", async () => {
    const { send } = under({ ...tenOf, mode: "admit" })
    await send(batchOf(8))
    const { status, json } = await send(batchOf(4))
    expect([status, json.succeeded, json.failed]).toEqual([207, 2, 2])
    expect(json.results[2].error).toEqual({
      code: "RATE_LIMITED",
      message: "Not run: the quota is used up",
      retryable: true,
      retry_after: 360,
    })
    expect((await send(batchOf(1))).status).toBe(429)
  })

  it("judges in admitting whether one operation could ever fit", async () => {
    const admitted = await under({ ...tenOf, mode: "admit" }).send(batchOf(11))
    expect([admitted.status, admitted.json.succeeded, admitted.json.failed]).toEqual([207, 10, 1])
    const policies = [{ name: "ops", limit: 10, per: "1 hour", weights: { do: 11 } }]
    const never = await under({ mode: "admit", policies }).send(batchOf(1))
    expect([never.status, never.json.limit]).toEqual([422, 0])
  })

  it("admits an atomic batch whole or not at all", async () => {
    const options: BatchOptions<string> = { unitOfWork: new FakeDatabase() }
    const { send } = under({ ...tenOf, mode: "admit" }, options)
    await send(batchOf(8))
    expect((await send({ ...batchOf(4), atomic: true })).status).toBe(429)
    expect((await send({ ...batchOf(2), atomic: true })).status).toBe(200)
  })

  it("holds under several policies at once, and takes nothing where one of them does not admit", async () => {
    const policies = [
      { name: "burst", limit: 5, per: "1 hour" },
      { name: "daily", limit: 7, per: "24 hours" },
    ]
    const { send } = under({ policies })
    const first = await send(batchOf(4))
    expect(first.headers["ratelimit"]).toMatch(/^"burst";r=1;t=\d+, "daily";r=3;t=\d+$/)
    const second = await send(batchOf(2))
    expect(second.json["violated-policies"]).toEqual(["burst"])
    expect(second.headers["ratelimit"]).toMatch(/^"burst";r=1;t=\d+, "daily";r=3;t=\d+$/)
  })

  it("is kept apart by caller, and over endpoints it is one", async () => {
    const batch = make<string>({ quota: tenOf, tenant: (native) => native })
    const one = batch.operations(doings)
    const other = batch.operations(doings)
    expect(left(await send(one, batchOf(4), { raw: "a" }))).toBe(6)
    expect(left(await send(other, batchOf(4), { raw: "a" }))).toBe(2)
    expect(left(await send(one, batchOf(4), { raw: "b" }))).toBe(6)
  })

  it("is one for all callers where nobody tells them apart", async () => {
    const endpoint = make({ quota: tenOf }).operations(doings)
    expect(left(await send(endpoint, batchOf(4), { raw: "a" }))).toBe(6)
    expect(left(await send(endpoint, batchOf(4), { raw: "b" }))).toBe(2)
  })

  it("is told with refusals too, of which nothing is charged", async () => {
    const { send } = under(tenOf)
    const { status, headers } = await send({ operations: [] })
    expect([status, headers["ratelimit"]]).toEqual([400, `"ops";r=10;t=0`])
  })

  it("is described", () => {
    const { endpoint } = under({ ...tenOf, batches: { limit: 3, per: 1000 } })
    expect(JSON.parse(endpoint.describe().body).quota).toEqual({
      mode: "reject",
      policies: [
        { name: "ops", limit: 10, window_ms: 3_600_000 },
        { name: "batches", limit: 3, window_ms: 1000 },
      ],
    })
  })
})

describe("what a batch costs", () => {
  const costing = (cost: CostFunction | "batch" | "weighted" | { base: number; perOperation: number }) =>
    under({ policies: [{ name: "ops", limit: 10, per: "1 hour", cost }] })

  it.each([
    ["one for the batch", "batch" as const, 9],
    ["1 + 0.1 × n", "weighted" as const, 8],
    ["a base, and so much for each", { base: 2, perOperation: 0.5 }, 5],
    ["what a function says of the whole", () => 2.5, 7],
    ["what a function says of each", () => [1, 2, 1, 0, 0.5, 0.5], 5],
  ])("may be %s", async (_, cost, remaining) => {
    expect(left(await costing(cost).send(batchOf(6)))).toBe(remaining)
  })

  it("may differ by action", async () => {
    const policies = [{ name: "ops", limit: 10, per: "1 hour", weights: { many: 3, do: 0 } }]
    const { operations } = batchOf(2)
    const { send } = under({ policies })
    expect(left(await send({ operations: [...operations, ...batchOf(1, "many").operations] }))).toBe(7)
  })

  it("is nothing that is no number: such a batch is not run, and nothing is given away", async () => {
    await fc.assert(
      fc.asyncProperty(noCosts, fc.boolean(), async (cost, each) => {
        const errors: Array<unknown> = []
        const { send } = under(
          { policies: [{ name: "ops", limit: 10, per: "1 hour", cost: () => (each ? [1, cost] : cost) as number }] },
          { onUnexpected: (error) => errors.push(error) },
        )
        expect((await send(batchOf(2))).status).toBe(500)
        expect(String(errors[0])).toContain(`"ops"`)
      }),
    )
  })
})

describe("what is not charged", () => {
  it("are operations that were refused before they could run", async () => {
    const { send } = under(tenOf)
    const answer = await send({ operations: [...batchOf(2).operations, { action: "unknown" }, 5] })
    expect([answer.json.failed, left(answer)]).toEqual([2, 8])
  })

  it("are replays and duplicates, single ones and whole batches", async () => {
    const { send } = under(tenOf, { idempotency: { store: memoryIdempotencyStore() } })
    const keyed = (...keys: ReadonlyArray<string>) => ({
      operations: keys.map((key) => ({ action: "do", data: 1, idempotency_key: key })),
    })
    expect(left(await send(keyed("k1", "k2", "k1")))).toBe(8)
    const mixed = await send(keyed("k1", "k2", "k3"))
    expect([mixed.json.replayed, left(mixed)]).toEqual([2, 7])
    const headers = { "idempotency-key": "whole" }
    expect(left(await send(batchOf(3), { headers }))).toBe(4)
    const again = await send(batchOf(3), { headers })
    expect([again.headers["idempotency-replayed"], left(again)]).toEqual(["true", 4])
  })

  it("are operations over quota, whose keys stay free", async () => {
    const { send } = under({ ...tenOf, mode: "admit" }, { idempotency: { store: memoryIdempotencyStore() } })
    await send(batchOf(9))
    const keyed = { operations: ["k1", "k2"].map((key) => ({ action: "do", data: 1, idempotency_key: key })) }
    const first = await send(keyed)
    expect(first.json.results.map(({ status }: { status: string }) => status)).toEqual(["success", "error"])
    const second = await send(keyed)
    expect(second.json).toMatchObject({ succeeded: 1, failed: 1, replayed: 1 })
    expect(second.json.results[1].error.code).toBe("RATE_LIMITED")
  })
})

describe("what is given back", () => {
  it("is what never began because enough had failed", async () => {
    const { send } = under(tenOf, { concurrency: "sequential" })
    const answer = await send({ ...batchOf(5, "fail"), stop_after: 2 })
    expect([answer.json.skipped, left(answer)]).toEqual([3, 8])
    expect(left(await send({ operations: [] }))).toBe(8)
  })

  it("is what never began before the deadline", async () => {
    const { send } = under(tenOf, { concurrency: 2, limits: { deadline: 30 } })
    expect(left(await send(batchOf(5, "wait")))).toBe(8)
  })

  it("is what never began before the client went away", async () => {
    const gone = new AbortController()
    const { send } = under(tenOf, { concurrency: 2, limits: { deadline: 100 } })
    setTimeout(() => gone.abort(), 10)
    await send(batchOf(5, "wait"), { signal: gone.signal })
    expect(left(await send({ operations: [] }))).toBe(8)
  })

  it("is what a rolled-back batch never came to", async () => {
    const { send } = under(tenOf, { unitOfWork: new FakeDatabase() })
    const operations = [...batchOf(2).operations, ...batchOf(1, "fail").operations, ...batchOf(4).operations]
    const answer = await send({ operations, atomic: true })
    expect([answer.json.failed_index, left(answer)]).toEqual([2, 7])
  })

  it("is not what ran and failed", async () => {
    expect(left(await under(tenOf).send(batchOf(5, "fail")))).toBe(5)
  })

  it("includes the base only where nothing of the batch began", async () => {
    const policies = [{ name: "ops", limit: 10, per: "1 hour", cost: "weighted" as const }]
    const gone = AbortSignal.abort()
    const { send } = under({ policies }, { concurrency: 1, limits: { deadline: 20 } })
    await send(batchOf(5), { signal: gone })
    expect(left(await send({ operations: [] }))).toBe(10)
    expect(left(await send(batchOf(5, "wait")))).toBe(8)
  })
})

describe("batches that are counted as such", () => {
  it("are counted whatever becomes of them, replays included, and told last", async () => {
    const { send } = under(
      { ...tenOf, batches: { limit: 3, per: "1 hour" } },
      { idempotency: { store: memoryIdempotencyStore() } },
    )
    const headers = { "idempotency-key": "whole" }
    const first = await send(batchOf(2), { headers })
    expect(first.headers["ratelimit"]).toMatch(/^"ops";r=8;t=\d+, "batches";r=2;t=\d+$/)
    expect((await send(batchOf(2), { headers })).headers["idempotency-replayed"]).toBe("true")
    expect((await send(batchOf(9))).status).toBe(429)
    const flood = await send(batchOf(2), { headers })
    expect([flood.status, flood.json["violated-policies"]]).toEqual([429, ["batches"]])
  })
})

describe("a store that does not answer", () => {
  it.each(["hangs", "fails"] as const)("is stood in for by a share of the quota, where it %s", async (how) => {
    const { send } = under({ ...tenOf, store: broken(how), timeout: 50 })
    const { status, headers } = await send(batchOf(5))
    expect([status, headers]).toMatchObject([200, { "content-type": expect.any(String) }])
    expect(headers).not.toHaveProperty("ratelimit")
    const refused = await send(batchOf(1))
    expect([refused.status, refused.json.code, refused.headers["retry-after"]]).toEqual([503, "STORE_UNAVAILABLE", "1"])
  })

  it("is never answered as if the caller had sent too many batches", async () => {
    const { send } = under({ ...tenOf, batches: { limit: 2, per: "1 hour" }, store: broken("fails") })
    expect((await send(batchOf(1))).status).toBe(200)
    const refused = await send(batchOf(1))
    expect([refused.status, refused.json.code]).toEqual([503, "STORE_UNAVAILABLE"])
  })

  it("holds nobody up where that is configured, and everybody where that is", async () => {
    const open = under({ ...tenOf, store: broken("fails"), onStoreError: "allow" })
    expect((await open.send(batchOf(10))).status).toBe(200)
    expect((await open.send(batchOf(10))).status).toBe(200)
    const closed = under({ ...tenOf, store: broken("fails"), onStoreError: "refuse" })
    expect((await closed.send(batchOf(1))).status).toBe(503)
  })

  it("is not asked again at once", async () => {
    let asked = 0
    const store = broken("fails")
    const counting = {
      ...store,
      charge: (...args: Parameters<typeof store.charge>) => (asked++, store.charge(...args)),
    }
    const { send } = under({ ...tenOf, store: counting })
    await send(batchOf(1))
    await send(batchOf(1))
    expect(asked).toBe(1)
  })
})

describe("options of a quota", () => {
  it.each<[string, BatchOptions["quota"], string]>([
    ["no limit", {}, `"operations" and "per"`],
    ["both forms", { ...tenOf, policies: [{ name: "a", limit: 1, per: 1000 }] }, `either "policies", or`],
    ["no time", { operations: 1, per: "soon" }, `"quota.per" must be a duration`],
    ["no time at all", { operations: 1, per: 0 }, `"quota.per" must be a duration`],
    ["fractions of milliseconds", { operations: 1, per: 1.5 }, `"quota.per" must be a duration`],
    ["too many decimals", { operations: 1.0001, per: 1000 }, "three decimals"],
    ["a limit of nothing", { operations: 0, per: 1000 }, "greater than 0"],
    ["an infinite limit", { operations: Number.POSITIVE_INFINITY, per: 1000 }, "quota"],
    ["a limit beyond whole numbers", { operations: 2 ** 53, per: 1000 }, "quota.operations"],
    ["a name that headers cannot have", { policies: [{ name: `a";q=9`, limit: 1, per: 1 }] }, "name"],
    ["negative weights", { policies: [{ name: "a", limit: 1, per: 1, weights: { do: -1 } }] }, "weights"],
    [
      "weights beside a function",
      { policies: [{ name: "a", limit: 1, per: 1, cost: () => 1, weights: { x: 1 } }] },
      `a cost function and "weights"`,
    ],
  ])("refuse %s at the start", (_, quota, words) => {
    expect(() => make({ quota })).toThrow(words)
  })

  it("refuse two policies of one name", () => {
    const twice = { policies: [1, 2].map((limit) => ({ name: "a", limit, per: 1000 })) }
    expect(() => make({ quota: twice })).toThrow(`"a"`)
  })
})

describe("headers", () => {
  it("may have the names of the next draft, older ones beside them, or be left out", async () => {
    const next = await under({ ...tenOf, headers: "draft-11", legacyHeaders: true }).send(batchOf(4))
    expect(next.headers).toMatchObject({
      ratelimit: `"ops";a=6;w=1440`,
      "x-ratelimit-limit": "10",
      "x-ratelimit-remaining": "6",
      "x-ratelimit-reset": "1440",
    })
    const none = await under({ ...tenOf, headers: "none" }).send(batchOf(4))
    expect(Object.keys(none.headers).filter((name) => name.includes("ratelimit"))).toEqual([])
  })
})

describe("a quota in another store", () => {
  it("is shared by all who use the store", async () => {
    const store = memoryQuotaStore()
    expect(left(await under({ ...tenOf, store }).send(batchOf(4)))).toBe(6)
    expect(left(await under({ ...tenOf, store }).send(batchOf(4)))).toBe(2)
  })

  it("does not hinder resources of other endpoints", async () => {
    const batch = make<string>({ quota: tenOf, tenant: (native) => native })
    const free = batch.operations(resource("free", { do: { identified: false, run: () => ({}) } }), {
      quota: undefined,
    })
    expect((await send(free, batchOf(100), { raw: "a" })).status).toBe(200)
  })
})
