import { describe, expect, it } from "vitest"
import { atomicFailure, codes, putEndpoint, puts, sendBatch, until } from "../support/putEndpoint.ts"

const atomicBatch = (...operations: ReadonlyArray<object>) => ({ atomic: true, operations })

describe("an atomic batch", () => {
  it("commits as a whole, in one transaction without savepoints", async () => {
    const { endpoint, database } = putEndpoint()
    const { status, json } = await sendBatch(endpoint, atomicBatch(...puts({ key: "a" }, { key: "b" }, { key: "c" })))
    expect(status).toBe(200)
    expect(codes(json)).toEqual(["success", "success", "success"])
    expect(database).toMatchObject({ keys: ["a", "b", "c"], begun: 1, savepoints: 0 })
  })

  it("rolls back if an operation fails, and runs no later operations", async () => {
    const { endpoint, database, calls } = putEndpoint()
    const batch = atomicBatch(...puts({ key: "a" }, { key: "b", end: "fail" }, { key: "c" }, { key: "d", end: "fail" }))
    const { status, json } = await sendBatch(endpoint, batch)
    expect({ status, json }).toEqual({ status: 404, json: atomicFailure(1, "NOT_FOUND", "key b not found") })
    expect(database.keys).toEqual([])
    expect(calls).toEqual(["a", "b"])
  })

  it("reveals nothing of an exception", async () => {
    const { endpoint, database, unexpected } = putEndpoint()
    const { status, json } = await sendBatch(endpoint, atomicBatch(...puts({ key: "a" }, { key: "b", end: "throw" })))
    expect({ status, json }).toEqual({
      status: 500,
      json: atomicFailure(1, "INTERNAL", "the operation failed unexpectedly"),
    })
    expect(database.keys).toEqual([])
    expect(unexpected).toEqual([new Error("secret b")])
  })

  it("begins no transaction if its first operation was refused before execution", async () => {
    const { endpoint, database } = putEndpoint()
    const { status, json } = await sendBatch(
      endpoint,
      atomicBatch({ action: "refuse", data: {} }, ...puts({ key: "a" })),
    )
    expect({ status, json }).toEqual({ status: 422, json: atomicFailure(0, "VALIDATION_ERROR", "refused") })
    expect(database.begun).toBe(0)
  })

  it("reports the failure with the lowest index, whether it ran or was refused before execution", async () => {
    const { endpoint, database } = putEndpoint()
    const refused = { action: "refuse", data: {} }
    const later = await sendBatch(endpoint, atomicBatch(...puts({ key: "a" }), refused, { action: "none" }))
    expect(later).toMatchObject({ status: 422, json: atomicFailure(1, "VALIDATION_ERROR", "refused") })
    const earlier = await sendBatch(endpoint, atomicBatch(...puts({ key: "a", end: "fail" }), refused))
    expect(earlier).toMatchObject({ status: 404, json: atomicFailure(0, "NOT_FOUND", "key a not found") })
    expect(database.keys).toEqual([])
  })

  it("rolls back at the deadline, along with anything its handlers do later", async () => {
    const { endpoint, database, abortLog } = putEndpoint({ limits: { deadline: 100 } })
    const batch = atomicBatch(...puts({ key: "a" }, { key: "b", end: "late" }, { key: "c" }))
    const { status, json } = await sendBatch(endpoint, batch)
    expect({ status, json }).toEqual({
      status: 504,
      json: atomicFailure(1, "DEADLINE_EXCEEDED", "the batch exceeded its deadline"),
    })
    await until(() => abortLog.length === 2)
    expect(abortLog).toEqual(["b: AbortError", "The transaction has ended"])
    expect(database.keys).toEqual([])
  })

  it("does not await handlers that ignore their signal at the deadline", async () => {
    const { endpoint, database } = putEndpoint({ limits: { deadline: 100 } })
    const { status, json } = await sendBatch(endpoint, atomicBatch(...puts({ key: "a", end: "hang" })))
    expect({ status, json }).toEqual({
      status: 504,
      json: atomicFailure(0, "DEADLINE_EXCEEDED", "the batch exceeded its deadline"),
    })
    expect((await sendBatch(endpoint, atomicBatch(...puts({ key: "b" })))).status).toBe(200)
    expect(database.keys).toEqual(["b"])
  })

  it("runs nothing if it gets a connection only after the deadline", async () => {
    const { endpoint, database, calls } = putEndpoint({ limits: { deadline: 50 } })
    const connection = Promise.withResolvers<void>()
    database.beforeBegin = () => connection.promise
    const { status, json } = await sendBatch(endpoint, atomicBatch(...puts({ key: "a" }, { key: "b" })))
    expect({ status, json }).toEqual({
      status: 504,
      json: atomicFailure(0, "DEADLINE_EXCEEDED", "the batch exceeded its deadline"),
    })
    connection.resolve()
    await until(() => database.begun === 1)
    await new Promise((resolve) => setTimeout(resolve, 10))
    expect({ calls, keys: database.keys }).toEqual({ calls: [], keys: [] })
  })

  it("rolls back if an operation times out", async () => {
    const { endpoint, database, abortLog } = putEndpoint({ limits: { operationTimeout: 50 } })
    const { status, json } = await sendBatch(endpoint, atomicBatch(...puts({ key: "a" }, { key: "b", end: "late" })))
    expect({ status, json }).toEqual({
      status: 504,
      json: atomicFailure(1, "TIMEOUT", "the operation took longer than 50 ms"),
    })
    await until(() => abortLog.length === 2)
    expect(abortLog[0]).toBe("b: TimeoutError")
    expect(database.keys).toEqual([])
  })

  it("does not count the wait for a connection towards an operation's timeout", async () => {
    const { endpoint, database } = putEndpoint({ limits: { operationTimeout: 1_000 } })
    database.beforeBegin = () => new Promise((resolve) => setTimeout(resolve, 1_500))
    expect((await sendBatch(endpoint, atomicBatch(...puts({ key: "a" }, { key: "b" })))).status).toBe(200)
  })

  it("rolls back if the client disconnects", async () => {
    const { endpoint, database, calls, abortLog } = putEndpoint()
    const client = new AbortController()
    const batch = atomicBatch(...puts({ key: "a" }, { key: "b", end: "late" }, { key: "c" }))
    const sending = sendBatch(endpoint, batch, { signal: client.signal })
    await until(() => calls.length === 2)
    client.abort()
    expect((await sending).status).toBe(499)
    await until(() => abortLog.length === 2)
    expect({ calls, keys: database.keys }).toEqual({ calls: ["a", "b"], keys: [] })
  })

  it("does not begin if the client has disconnected", async () => {
    const { endpoint, database } = putEndpoint()
    expect(
      (await sendBatch(endpoint, atomicBatch(...puts({ key: "a" })), { signal: AbortSignal.abort() })).status,
    ).toBe(499)
    expect(database.begun).toBe(0)
  })

  it("awaits a commit that was sent before the deadline, and reports its outcome", async () => {
    for (const [end, expected] of [
      ["committed", 200],
      ["unknown", 503],
    ] as const) {
      const { endpoint, database } = putEndpoint({ limits: { deadline: 50 }, commits: [end] })
      database.beforeCommitted = () => new Promise((resolve) => setTimeout(resolve, 200))
      expect((await sendBatch(endpoint, atomicBatch(...puts({ key: "a" })))).status).toBe(expected)
      expect(database.keys).toEqual(end === "committed" ? ["a"] : [])
    }
  })

  it("reports the outcome of a commit that was sent before the client disconnected", async () => {
    const { endpoint, database } = putEndpoint()
    const client = new AbortController()
    database.beforeCommitted = async () => {
      client.abort()
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    expect((await sendBatch(endpoint, atomicBatch(...puts({ key: "a" })), { signal: client.signal })).status).toBe(200)
    expect(database.keys).toEqual(["a"])
  })

  it("is not retried after the deadline if its commit failed", async () => {
    const { endpoint, database, calls } = putEndpoint({ limits: { deadline: 50 }, commits: ["transient"] })
    database.beforeCommitted = () => new Promise((resolve) => setTimeout(resolve, 200))
    const { status, json } = await sendBatch(endpoint, atomicBatch(...puts({ key: "a" }, { key: "b" })))
    expect({ status, json }).toEqual({
      status: 504,
      json: atomicFailure(0, "DEADLINE_EXCEEDED", "the batch exceeded its deadline"),
    })
    expect({ calls, keys: database.keys }).toEqual({ calls: ["a", "b"], keys: [] })
  })

  it("is answered with a problem if the outcome of its commit is unknown", async () => {
    const { endpoint } = putEndpoint({ commits: ["unknown"] })
    const { status, type, json } = await sendBatch(endpoint, atomicBatch(...puts({ key: "a" }, { key: "b" })))
    expect({ status, type }).toEqual({ status: 503, type: "application/problem+json" })
    expect(json).toMatchObject({ status: 503, code: "OUTCOME_UNKNOWN" })
    expect(json).not.toHaveProperty("operations_applied")
  })

  it("is retried from the start after a transient error", async () => {
    const { endpoint, database, calls } = putEndpoint({ commits: ["transient", "transient"] })
    const { status, json } = await sendBatch(endpoint, atomicBatch(...puts({ key: "a" }, { key: "b" })))
    expect(status).toBe(200)
    expect(codes(json)).toEqual(["success", "success"])
    expect(calls).toEqual(["a", "b", "a", "b", "a", "b"])
    expect(database.keys).toEqual(["a", "b"])
  })

  it("ends in a retryable conflict if every attempt fails with a transient error", async () => {
    const { endpoint, database } = putEndpoint()
    const { status, json } = await sendBatch(
      endpoint,
      atomicBatch(...puts({ key: "a" }, { key: "b", end: "transient" })),
    )
    expect(status).toBe(409)
    expect(json).toMatchObject({ code: "CONFLICT", operations_applied: 0, failed_index: 0 })
    expect(database).toMatchObject({ keys: [], begun: 4 })
  })

  it("fails with INTERNAL if the database rejects its commit", async () => {
    const { endpoint, database, unexpected } = putEndpoint({ commits: [new Error("deferred check")] })
    const { status, json } = await sendBatch(endpoint, atomicBatch(...puts({ key: "a" }, { key: "b" })))
    expect({ status, json }).toEqual({
      status: 500,
      json: atomicFailure(0, "INTERNAL", "the operation failed unexpectedly"),
    })
    expect(database.keys).toEqual([])
    expect(unexpected).toEqual([new Error("deferred check")])
  })

  it("does not affect concurrent batches", async () => {
    const { endpoint, database } = putEndpoint()
    const batches = Array.from({ length: 20 }, (_, index) =>
      sendBatch(
        endpoint,
        atomicBatch(...puts({ key: `${index} a` }, { key: `${index} b`, ...(index % 2 === 0 && { end: "fail" }) })),
      ),
    )
    const statuses = (await Promise.all(batches)).map(({ status }) => status)
    expect(statuses).toEqual(statuses.map((_, index) => (index % 2 === 0 ? 404 : 200)))
    expect(database.keys).toHaveLength(20)
  })
})

describe("a coalesced call in an atomic batch", () => {
  const coalesced = (...items: ReadonlyArray<object>) => atomicBatch(...items.map((data) => ({ action: "puts", data })))

  it("makes one call for all operations", async () => {
    const { endpoint, database, calls } = putEndpoint()
    expect((await sendBatch(endpoint, coalesced({ key: "a" }, { key: "b" }, { key: "c" }))).status).toBe(200)
    expect(calls).toEqual(["many 3", "a", "b", "c"])
    expect(database.keys).toEqual(["a", "b", "c"])
  })

  it("rolls back everything if it returns a failure for one item", async () => {
    const { endpoint, database } = putEndpoint()
    const { status, json } = await sendBatch(
      endpoint,
      coalesced({ key: "a" }, { key: "b", end: "fail" }, { key: "c", end: "fail" }),
    )
    expect({ status, json }).toEqual({ status: 404, json: atomicFailure(1, "NOT_FOUND", "key b not found") })
    expect(database.keys).toEqual([])
  })

  it("that throws as a whole reports the first faulty item, which is found in savepoints", async () => {
    for (const faulty of [0, 1, 2, 3, 4, 5, 6]) {
      const { endpoint, database, unexpected } = putEndpoint()
      const items = Array.from({ length: 7 }, (_, index) => ({
        key: `${index}`,
        ...(index >= faulty && { end: "throw" }),
      }))
      const { status, json } = await sendBatch(endpoint, coalesced(...items))
      expect({ status, json }).toEqual({
        status: 500,
        json: atomicFailure(faulty, "INTERNAL", "the operation failed unexpectedly"),
      })
      expect(database.keys).toEqual([])
      expect(database.savepoints).toBeGreaterThan(1)
      expect(unexpected).toEqual([new Error(`secret ${faulty}`)])
    }
  })

  it("that fails with a transient error is retried as a whole, without a search for faulty items", async () => {
    const { endpoint, database, calls } = putEndpoint()
    expect((await sendBatch(endpoint, coalesced({ key: "a" }, { key: "b", end: "transient" }))).status).toBe(409)
    expect(calls).toEqual([1, 2, 3, 4].flatMap(() => ["many 2", "a", "b"]))
    expect(database.keys).toEqual([])
  })
})

describe("the strategy atomic", () => {
  it("is rejected at start-up without a unit of work", () => {
    const message = /needs a unit of work/
    expect(() => putEndpoint({ unitOfWork: undefined, clientStrategies: ["atomic"] })).toThrow(message)
    expect(() => putEndpoint({ unitOfWork: undefined, clientStrategies: [], strategy: "atomic" })).toThrow(message)
    const { batch, things } = putEndpoint({ unitOfWork: undefined, clientStrategies: [] })
    expect(() => batch.operations(things, { strategy: "atomic" })).toThrow(message)
    expect(() => batch.bulk(things, "put", { clientStrategies: ["atomic"] })).toThrow(message)
    expect(() => batch.requests(() => Promise.reject(new Error()), { strategy: "atomic" })).toThrow(message)
    expect(() => batch.operations(things, { transactionSize: 5 })).toThrow(/"transactionSize" needs transactions/)
  })

  it("is refused if the endpoint does not offer it", async () => {
    const { endpoint } = putEndpoint({ clientStrategies: [] })
    const { status, json } = await sendBatch(endpoint, atomicBatch(...puts({ key: "a" })))
    expect({ status, json }).toMatchObject({ status: 400, json: { code: "STRATEGY_NOT_OFFERED" } })
  })

  it("applies without a request for it if it is the endpoint's default", async () => {
    const { endpoint, database } = putEndpoint({ clientStrategies: [], strategy: "atomic" })
    const { status, json } = await sendBatch(endpoint, { operations: puts({ key: "a" }, { key: "b", end: "fail" }) })
    expect({ status, json }).toEqual({ status: 404, json: atomicFailure(1, "NOT_FOUND", "key b not found") })
    expect(database.keys).toEqual([])
  })

  it("has the same responses on bulk endpoints", async () => {
    const { batch, things, database } = putEndpoint({ strategy: "atomic" })
    const bulk = batch.bulk(things, "puts", { count: "put" })
    expect((await sendBatch(bulk, { things: [{ key: "a" }, { key: "b" }] })).json).toEqual({
      put: 2,
      things: [{ id: "a" }, { id: "b" }],
    })
    const failed = await sendBatch(bulk, { things: [{ key: "c" }, { key: "d", end: "fail" }] })
    expect(failed).toMatchObject({ status: 404, json: atomicFailure(1, "NOT_FOUND", "key d not found") })
    database.commits = ["unknown"]
    expect(await sendBatch(bulk, { things: [{ key: "e" }] })).toMatchObject({
      status: 503,
      json: { code: "OUTCOME_UNKNOWN" },
    })
    expect(database.keys).toEqual(["a", "b"])
  })
})
