/** Attempts to get more out of a quota than it has, over HTTP on both frameworks. The numbers are those of the catalogue of attacks. */
import assert from "node:assert/strict"
import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { expressBatch } from "@multistatus/adapter-express"
import { fastifyBatch } from "@multistatus/adapter-fastify"
import { type BatchOptions, memoryIdempotencyStore, type QuotaOptions, resource } from "@multistatus/core"
import { type QuotaStore } from "@multistatus/core/store"
import express from "express"
import Fastify from "fastify"
import { afterEach, describe, expect, it } from "vitest"
import { left, policiesOf } from "./asking.ts"

const things = resource("things", { do: { identified: false, run: () => ({}) } })

type Options = Omit<BatchOptions, "tenant">

const frameworks: Readonly<Record<string, (options: Options) => Promise<readonly [string, () => unknown]>>> = {
  express: async (options) => {
    const app = express()
    const batch = expressBatch({ ...options, tenant: (request) => request.get("x-api-key") })
    app.post("/things", batch.operations(things))
    const server = app.listen(0, "127.0.0.1")
    await once(server, "listening")
    return [`http://127.0.0.1:${(server.address() as AddressInfo).port}`, () => server.close()]
  },
  fastify: async (options) => {
    const app = Fastify()
    await app.register(fastifyBatch, { ...options, tenant: ({ headers }) => headers["x-api-key"] as string })
    app.batch.operations("/things", things)
    return [await app.listen({ port: 0, host: "127.0.0.1" }), () => app.close()]
  },
}

const open: Array<() => unknown> = []
afterEach(() => Promise.all(open.splice(0).map((close) => close())))

const tenOf: QuotaOptions = { operations: 10, per: "1 hour" }
const policy = { name: "ops", limit: 10, per: "1 hour" }

describe.each(Object.entries(frameworks))("%s", (_, start) => {
  const serve = async (quota: QuotaOptions, options: Options = {}) => {
    const [origin, close] = await start({ ...options, quota })
    open.push(close)
    return async (count: number, tenant = "a", headers: Readonly<Record<string, string>> = {}) => {
      const operations = Array.from({ length: count }, () => ({ action: "do" }))
      const answer = await fetch(`${origin}/things`, {
        method: "POST",
        headers: { "content-type": "application/json", "x-api-key": tenant, ...headers },
        body: JSON.stringify({ operations }),
      })
      const body = (await answer.json()) as { readonly code?: string; readonly limit?: number }
      return { status: answer.status, body, headers: Object.fromEntries(answer.headers) }
    }
  }

  it.each([Number.NaN, Number.POSITIVE_INFINITY, -1, 2 ** 53, "5", undefined])(
    "43: a cost of %s runs nothing and leaves the quota as it is",
    async (cost) => {
      let given: unknown = cost
      const onUnexpected = () => undefined
      const ask = await serve({ policies: [{ ...policy, cost: () => given as number }] }, { onUnexpected })
      expect((await ask(2)).status).toBe(500)
      given = 1.5
      expect(left(await ask(2))).toBe(8)
    },
  )

  it("43: a cost of 0 is free, and the smallest cost above it is charged", async () => {
    let given = 0
    const ask = await serve({ policies: [{ ...policy, cost: () => given }] })
    expect(left(await ask(2))).toBe(10)
    given = 1e-6
    expect(left(await ask(2))).toBe(9)
  })

  it("44: a batch above the limit gets no time to retry", async () => {
    const { status, body, headers } = await (await serve(tenOf))(11)
    expect({ status, code: body.code, limit: body.limit, retryAfter: headers["retry-after"] }).toEqual({
      status: 422,
      code: "BATCH_EXCEEDS_QUOTA",
      limit: 10,
      retryAfter: undefined,
    })
  })

  it("45: forwarding headers do not make another caller", async () => {
    const ask = await serve(tenOf)
    await ask(6)
    const headers = { "x-forwarded-for": "203.0.113.7", "x-real-ip": "203.0.113.8", forwarded: "for=203.0.113.9" }
    expect((await ask(6, "a", headers)).status).toBe(429)
  })

  it("48: a flood of replays meets the policy that counts batches", async () => {
    const idempotency = { store: memoryIdempotencyStore() }
    const ask = await serve({ ...tenOf, batches: { limit: 3, per: "1 hour" } }, { idempotency })
    const answers = []
    for (let turn = 0; turn < 4; turn++) answers.push(await ask(2, "a", { "idempotency-key": "once" }))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429])
    expect(policiesOf(answers[2]!)).toMatchObject([
      { name: "ops", left: 8 },
      { name: "batches", left: 0 },
    ])
  })

  it("49: one large batch costs as much as many small ones, unless configured otherwise", async () => {
    const ask = await serve(tenOf)
    await ask(6, "one")
    for (let turn = 0; turn < 6; turn++) await ask(1, "many")
    expect({ one: left(await ask(1, "one")), many: left(await ask(1, "many")) }).toEqual({ one: 3, many: 3 })
  })

  it("50: refused batches do not make a tenant wait longer", async () => {
    const ask = await serve(tenOf)
    await ask(10)
    const first = policiesOf(await ask(1))[0]!.seconds
    for (let turn = 0; turn < 10; turn++) await ask(5)
    expect(policiesOf(await ask(1))[0]!.seconds).toBeLessThanOrEqual(first)
  })

  it("52: a store that hangs delays a batch no longer than configured", async () => {
    const never = () => new Promise<never>(() => undefined)
    const store: QuotaStore = { charge: never, refund: never, peek: never }
    const ask = await serve({ ...tenOf, store, timeout: 100 })
    const startedAt = performance.now()
    expect((await ask(2)).status).toBe(200)
    assert.ok(performance.now() - startedAt < 1500)
    // It is the store that is down, which is no fault of the caller.
    expect((await ask(9)).status).toBe(503)
  })

  it("53: the usage of other tenants is not visible", async () => {
    const ask = await serve(tenOf)
    await ask(7, "b")
    expect(policiesOf(await ask(1, "a"))).toMatchObject([{ left: 9 }])
  })

  it("54: a policy name that would end a header is refused", async () => {
    await expect(serve({ policies: [{ ...policy, name: 'ops";q=999\r\nx: y' }] })).rejects.toThrow("name")
  })

  it("two policies apply at once, and a batch that one of them refuses is charged under neither", async () => {
    const ask = await serve({
      policies: [
        { ...policy, name: "burst", limit: 5 },
        { ...policy, name: "daily", cost: "weighted" },
      ],
    })
    expect(policiesOf(await ask(4))).toMatchObject([
      { name: "burst", left: 1 },
      { name: "daily", left: 8 },
    ])
    const refused = await ask(2)
    expect({ status: refused.status, policies: policiesOf(refused) }).toMatchObject({
      status: 429,
      policies: [{ left: 1 }, { left: 8 }],
    })
  })
})
