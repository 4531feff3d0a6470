/** Quotas over HTTP. They take an hour to come back, so that nothing does within a test. */
import { describe, expect, it } from "vitest"
import { onBoth, onEach } from "../batch/onBoth.ts"
import { as, creates, left, sleeps, told } from "./asking.ts"

const anHour = { QUOTA_WINDOW_S: "3600" }

describe("a quota of 10 operations", () => {
  const run = onBoth({ QUOTA: "10", CONCURRENCY: "2", DEADLINE_MS: "400", ...anHour })

  it("is told with every answer of a batch endpoint, in fields that a parser of RFC 9651 reads", () =>
    run(async (api) => {
      const answer = await as(api, "told")(creates(3))
      expect(told(answer)).toEqual([{ name: "ops", limit: 10, window: 3600, left: 7, seconds: 1080 }])
      const headers = { "x-api-key": "told" }
      for (const [path, body] of [
        ["/api/v1/users/batch", "{"],
        ["/api/v1/users/bulk-create", "{}"],
        ["/api/v1/batch", { requests: [] }],
      ] as const) {
        const refused = await api.ask("POST", path, { body, headers })
        expect([refused.status, left(refused)]).toEqual([400, 7])
      }
    }, "differently"))

  it("is one for all batch endpoints of a tenant, and apart from that of others", () =>
    run(async (api) => {
      const headers = { "x-api-key": "shared" }
      const users = creates(2).map(({ data }) => data)
      expect(left(await api.ask("POST", "/api/v1/users/bulk-create", { body: { users }, headers }))).toBe(8)
      const requests = [{ id: "1", method: "GET", url: "/health" }]
      expect(left(await api.ask("POST", "/api/v1/batch", { body: { requests }, headers }))).toBe(7)
      expect(left(await as(api, "another")(creates(1)))).toBe(9)
    }, "differently"))

  it("refuses a batch that does not fit with 429, executes nothing of it and charges nothing for it", () =>
    run(async (api) => {
      const send = as(api, "reject")
      await send(creates(8))
      const before = (await api.users()).length
      const { status, headers, body } = await send(creates(3))
      expect([status, body]).toMatchObject([
        429,
        {
          type: "https://iana.org/assignments/http-problem-types#quota-exceeded",
          code: "RATE_LIMITED",
          "violated-policies": ["ops"],
        },
      ])
      expect(headers["content-type"]).toBe("application/problem+json")
      const [policy] = told({ headers })
      expect(Number(headers["retry-after"])).toBeGreaterThanOrEqual(policy!.seconds)
      expect(policy).toMatchObject({ left: 2, seconds: 360 })
      expect((await api.users()).length).toBe(before)
      expect((await send(creates(2))).status).toBe(200)
    }, "differently"))

  it("is not lengthened by what it refuses", () =>
    run(async (api) => {
      const send = as(api, "patient")
      await send(creates(10))
      const first = told(await send(creates(1)))[0]!.seconds
      for (let round = 0; round < 20; round++) await send(creates(1))
      expect(told(await send(creates(1)))[0]!.seconds).toBeLessThanOrEqual(first)
    }, "differently"))

  it("names the largest batch that fits at all, and no time to wait for", () =>
    run(async (api) => {
      const { status, headers, body } = await as(api, "large")(creates(11))
      expect([status, body]).toMatchObject([422, { code: "BATCH_EXCEEDS_QUOTA", limit: 10, actual: 11 }])
      expect(headers).not.toHaveProperty("retry-after")
    }, "differently"))

  it("takes nothing for replays, and nothing for the second of two with one key", () =>
    run(async (api) => {
      const send = as(api, "replays")
      const headers = { "idempotency-key": "whole" }
      const operations = creates(4)
      expect(left(await send(operations, {}, headers))).toBe(6)
      const replay = await send(operations, {}, headers)
      expect([replay.headers["idempotency-replayed"], left(replay)]).toEqual(["true", 6])
      const [one] = creates(1).map((operation) => ({ ...operation, idempotency_key: "one" }))
      expect(left(await send([one, one]))).toBe(5)
      expect(left(await send([one]))).toBe(5)
    }, "differently"))

  it("is given back for what a failed dependency kept from running", () =>
    run(async (api) => {
      const requests = [
        { id: "1", method: "GET", url: "/api/v1/users/u_none" },
        { id: "2", method: "GET", url: "/health", dependsOn: ["1"] },
        { id: "3", method: "GET", url: "/health", dependsOn: ["2"] },
      ]
      const headers = { "x-api-key": "dependency" }
      expect(left(await api.ask("POST", "/api/v1/batch", { body: { requests }, headers }))).toBe(9)
    }, "differently"))

  it("is given back for what had not begun at the deadline", () =>
    run(async (api) => {
      const answer = await as(api, "deadline")(sleeps(6, 2000))
      expect([answer.body.skipped, left(answer)]).toEqual([4, 8])
    }, "differently"))

  it("is given back for what had not begun when the client went away", () =>
    run(async (api) => {
      const gone = AbortSignal.timeout(100)
      const headers = { "content-type": "application/json", "x-api-key": "gone" }
      const body = JSON.stringify({ operations: sleeps(6, 2000) })
      await fetch(`${api.origin}/api/v1/users/batch`, { method: "POST", headers, body, signal: gone }).catch(() => {})
      const told = async () => left(await as(api, "gone")([]))
      await expect.poll(told, { timeout: 3000 }).toBe(8)
    }, "differently"))

  it("is given back for what a rolled-back batch never came to", () =>
    run(async (api) => {
      const operations = [...creates(1), { action: "delete", id: "u_none" }, ...creates(4)]
      const answer = await as(api, "atomic")(operations, { atomic: true })
      expect([answer.status, left(answer)]).toEqual([404, 8])
    }, "differently"))

  it("cannot be had again by going away right after", () =>
    run(async (api) => {
      const headers = { "content-type": "application/json", "x-api-key": "farm" }
      for (let round = 0; round < 5; round++) {
        const body = JSON.stringify({ operations: sleeps(2, 50) })
        const signal = AbortSignal.timeout(20)
        await fetch(`${api.origin}/api/v1/users/batch`, { method: "POST", headers, body, signal }).catch(() => {})
      }
      await expect.poll(async () => left(await as(api, "farm")([])), { timeout: 3000 }).toBe(0)
    }, "differently"))

  it("is the same whether one batch asks for it or many do", () =>
    run(async (api) => {
      await as(api, "one batch")(creates(6))
      for (let round = 0; round < 6; round++) await as(api, "many")(creates(1))
      expect(left(await as(api, "one batch")([]))).toBe(4)
      expect(left(await as(api, "many")([]))).toBe(4)
    }, "differently"))
})

describe("a quota that admits what fits", () => {
  const run = onEach(["express"], { QUOTA: "10", QUOTA_MODE: "admit", ...anHour })

  it("runs the first operations, and tells the others when they would run", () =>
    run(async (api) => {
      const send = as(api, "admit")
      await send(creates(7))
      const { status, body } = await send(creates(5))
      expect([status, body.succeeded, body.failed]).toEqual([207, 3, 2])
      expect(body.results[3]).toMatchObject({ status: "error", error: { code: "RATE_LIMITED", retry_after: 360 } })
      const none = await send(creates(1))
      expect([none.status, none.headers["retry-after"]]).toEqual([429, expect.any(String)])
    }, "differently"))

  it("tells sub-requests apart in a JSON batch, and what depends on one that did not run", () =>
    run(async (api) => {
      await as(api, "requests")(creates(8))
      const requests = [
        { id: "1", method: "GET", url: "/health" },
        { id: "2", method: "GET", url: "/health", dependsOn: ["3"] },
        { id: "3", method: "GET", url: "/health" },
      ]
      const responses = await api.requests(requests, { "x-api-key": "requests" })
      expect(responses.map(({ status }) => status)).toEqual([200, 424, 429])
      // What was admitted and never ran is given back.
      expect(left(await as(api, "requests")([]))).toBe(1)
    }, "differently"))

  it("takes an atomic batch whole or not at all", () =>
    run(async (api) => {
      const send = as(api, "atomic")
      await send(creates(8))
      expect((await send(creates(3), { atomic: true })).status).toBe(429)
      expect((await send(creates(2), { atomic: true })).status).toBe(200)
    }, "differently"))
})

describe.each([
  ["batch", 9],
  ["weighted", 8],
])("a quota by %s", (cost, after) => {
  const run = onEach(["fastify"], { QUOTA: "10", QUOTA_COST: cost, ...anHour })

  it(`has ${after} of 10 left after a batch of 10`, () =>
    run(async (api) => {
      expect(left(await as(api, "costs")(creates(10)))).toBe(after)
    }, "differently"))
})

describe("a quota that comes back", () => {
  const run = onEach(["express"], { QUOTA: "20", QUOTA_WINDOW_S: "2" })

  it("lets a batch in after the time that it was told, and no sooner", () =>
    run(async (api) => {
      const send = as(api, "wait")
      await send(creates(20))
      const refused = await send(creates(8))
      expect(refused.status).toBe(429)
      await new Promise((resolve) => setTimeout(resolve, told(refused)[0]!.seconds * 1000))
      expect((await send(creates(8))).status).toBe(200)
    }, "differently"))
})
