/** Quotas over HTTP. They take an hour to come back, so that nothing does within a test. */
import { describe, expect, it } from "vitest"
import { onBoth, onEach } from "../batch/onBoth.ts"
import { as, creates, left, sleeps, policiesOf } from "./asking.ts"

const anHour = { QUOTA_WINDOW_S: "3600" }

describe("a quota of 10 operations", () => {
  const run = onBoth({ QUOTA: "10", CONCURRENCY: "2", DEADLINE_MS: "400", ...anHour })

  it("is in every answer of a batch endpoint, in fields that a parser of RFC 9651 reads", () =>
    run(async (api) => {
      const answer = await as(api, "fields")(creates(3))
      expect(policiesOf(answer)).toEqual([{ name: "ops", limit: 10, window: 3600, left: 7, seconds: 1080 }])
      const headers = { "x-api-key": "fields" }
      for (const [path, body] of [
        ["/api/v1/users/batch", "{"],
        ["/api/v1/users/bulk-create", "{}"],
        ["/api/v1/batch", { requests: [] }],
      ] as const) {
        const refused = await api.ask("POST", path, { body, headers })
        expect({ status: refused.status, left: left(refused) }).toEqual({ status: 400, left: 7 })
      }
    }, "differently"))

  it("is shared by all batch endpoints of a tenant, and separate for each tenant", () =>
    run(async (api) => {
      const headers = { "x-api-key": "shared" }
      const users = creates(2).map(({ data }) => data)
      expect(left(await api.ask("POST", "/api/v1/users/bulk-create", { body: { users }, headers }))).toBe(8)
      const requests = [{ id: "1", method: "GET", url: "/health" }]
      expect(left(await api.ask("POST", "/api/v1/batch", { body: { requests }, headers }))).toBe(7)
      expect(left(await as(api, "another")(creates(1)))).toBe(9)
    }, "differently"))

  it("answers 429 to a batch that does not fit, runs nothing of it and charges nothing", () =>
    run(async (api) => {
      const send = as(api, "reject")
      await send(creates(8))
      const before = (await api.users()).length
      const { status, headers, body } = await send(creates(3))
      expect({ status, body }).toMatchObject({
        status: 429,
        body: {
          type: "https://iana.org/assignments/http-problem-types#quota-exceeded",
          code: "RATE_LIMITED",
          "violated-policies": ["ops"],
        },
      })
      expect(headers["content-type"]).toBe("application/problem+json")
      const [policy] = policiesOf({ headers })
      expect(Number(headers["retry-after"])).toBeGreaterThanOrEqual(policy!.seconds)
      expect(policy).toMatchObject({ left: 2, seconds: 360 })
      expect((await api.users()).length).toBe(before)
      expect((await send(creates(2))).status).toBe(200)
    }, "differently"))

  it("does not wait longer because of refused batches", () =>
    run(async (api) => {
      const send = as(api, "patient")
      await send(creates(10))
      const first = policiesOf(await send(creates(1)))[0]!.seconds
      for (let round = 0; round < 20; round++) await send(creates(1))
      expect(policiesOf(await send(creates(1)))[0]!.seconds).toBeLessThanOrEqual(first)
    }, "differently"))

  it("answers a batch above the limit with the limit and without a time to retry", () =>
    run(async (api) => {
      const { status, headers, body } = await as(api, "large")(creates(11))
      expect({ status, body }).toMatchObject({
        status: 422,
        body: { code: "BATCH_EXCEEDS_QUOTA", limit: 10, actual: 11 },
      })
      expect(headers).not.toHaveProperty("retry-after")
    }, "differently"))

  it("charges neither replays nor the second of two operations with one key", () =>
    run(async (api) => {
      const send = as(api, "replays")
      const headers = { "idempotency-key": "whole" }
      const operations = creates(4)
      expect(left(await send(operations, {}, headers))).toBe(6)
      const replay = await send(operations, {}, headers)
      expect({ replayed: replay.headers["idempotency-replayed"], left: left(replay) }).toEqual({
        replayed: "true",
        left: 6,
      })
      const [one] = creates(1).map((operation) => ({ ...operation, idempotency_key: "one" }))
      expect(left(await send([one, one]))).toBe(5)
      expect(left(await send([one]))).toBe(5)
    }, "differently"))

  it("is refunded for operations that a failed dependency skipped", () =>
    run(async (api) => {
      const requests = [
        { id: "1", method: "GET", url: "/api/v1/users/u_none" },
        { id: "2", method: "GET", url: "/health", dependsOn: ["1"] },
        { id: "3", method: "GET", url: "/health", dependsOn: ["2"] },
      ]
      const headers = { "x-api-key": "dependency" }
      expect(left(await api.ask("POST", "/api/v1/batch", { body: { requests }, headers }))).toBe(9)
    }, "differently"))

  it("is refunded for operations that had not begun at the deadline", () =>
    run(async (api) => {
      const answer = await as(api, "deadline")(sleeps(6, 2000))
      expect({ skipped: answer.body.skipped, left: left(answer) }).toEqual({ skipped: 4, left: 8 })
    }, "differently"))

  it("is refunded for operations that had not begun when the client disconnected", () =>
    run(async (api) => {
      const gone = AbortSignal.timeout(100)
      const headers = { "content-type": "application/json", "x-api-key": "gone" }
      const body = JSON.stringify({ operations: sleeps(6, 2000) })
      await fetch(`${api.origin}/api/v1/users/batch`, { method: "POST", headers, body, signal: gone }).catch(() => {})
      const remaining = async () => left(await as(api, "gone")([]))
      await expect.poll(remaining, { timeout: 3000 }).toBe(8)
    }, "differently"))

  it("is refunded for operations that a rolled-back batch did not reach", () =>
    run(async (api) => {
      const operations = [...creates(1), { action: "delete", id: "u_none" }, ...creates(4)]
      const answer = await as(api, "atomic")(operations, { atomic: true })
      expect({ status: answer.status, left: left(answer) }).toEqual({ status: 404, left: 8 })
    }, "differently"))

  it("is not refunded for running operations when the client disconnects", () =>
    run(async (api) => {
      const headers = { "content-type": "application/json", "x-api-key": "farm" }
      for (let round = 0; round < 5; round++) {
        const body = JSON.stringify({ operations: sleeps(2, 50) })
        const signal = AbortSignal.timeout(20)
        await fetch(`${api.origin}/api/v1/users/batch`, { method: "POST", headers, body, signal }).catch(() => {})
      }
      await expect.poll(async () => left(await as(api, "farm")([])), { timeout: 3000 }).toBe(0)
    }, "differently"))

  it("charges one batch as much as many small ones", () =>
    run(async (api) => {
      await as(api, "one batch")(creates(6))
      for (let round = 0; round < 6; round++) await as(api, "many")(creates(1))
      expect(left(await as(api, "one batch")([]))).toBe(4)
      expect(left(await as(api, "many")([]))).toBe(4)
    }, "differently"))
})

describe("a quota that admits what fits", () => {
  const run = onEach(["express"], { QUOTA: "10", QUOTA_MODE: "admit", ...anHour })

  it("runs the first operations and tells the others when to retry", () =>
    run(async (api) => {
      const send = as(api, "admit")
      await send(creates(7))
      const { status, body } = await send(creates(5))
      expect({ status, succeeded: body.succeeded, failed: body.failed }).toEqual({
        status: 207,
        succeeded: 3,
        failed: 2,
      })
      expect(body.results[3]).toMatchObject({ status: "error", error: { code: "RATE_LIMITED", retry_after: 360 } })
      const none = await send(creates(1))
      expect({ status: none.status, retryAfter: none.headers["retry-after"] }).toEqual({
        status: 429,
        retryAfter: expect.any(String),
      })
    }, "differently"))

  it("refuses single sub-requests of a JSON batch, and skips those that depend on them", () =>
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

  it("admits an atomic batch as a whole or not at all", () =>
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

describe("a quota that refills", () => {
  const run = onEach(["express"], { QUOTA: "20", QUOTA_WINDOW_S: "2" })

  it("admits a batch after the time that the refusal named", () =>
    run(async (api) => {
      const send = as(api, "wait")
      await send(creates(20))
      const refused = await send(creates(8))
      expect(refused.status).toBe(429)
      await new Promise((resolve) => setTimeout(resolve, policiesOf(refused)[0]!.seconds * 1000))
      expect((await send(creates(8))).status).toBe(200)
    }, "differently"))
})
