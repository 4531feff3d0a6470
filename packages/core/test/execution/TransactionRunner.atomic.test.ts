import { describe, expect, it } from "vitest"
import { ask, codes, putEndpoint, puts, undone, until } from "../support/puts.ts"

const atomic = (...operations: ReadonlyArray<object>) => ({ atomic: true, operations })

const gate = () => {
  let open = (): void => undefined
  const passed = new Promise<void>((resolve) => (open = resolve))
  return { open, passed }
}

describe("an atomic batch", () => {
  it("happens as a whole, in one transaction and without savepoints", async () => {
    const { endpoint, database } = putEndpoint()
    const { status, json } = await ask(endpoint, atomic(...puts({ key: "a" }, { key: "b" }, { key: "c" })))
    expect(status).toBe(200)
    expect(codes(json)).toEqual(["success", "success", "success"])
    expect(database).toMatchObject({ keys: ["a", "b", "c"], begun: 1, savepoints: 0 })
  })

  it("does not happen at all if an operation fails, and nothing after that one is tried", async () => {
    const { endpoint, database, calls } = putEndpoint()
    const batch = atomic(...puts({ key: "a" }, { key: "b", end: "fail" }, { key: "c" }, { key: "d", end: "fail" }))
    const { status, json } = await ask(endpoint, batch)
    expect([status, json]).toEqual([404, undone(1, "NOT_FOUND", "key b not found")])
    expect(database.keys).toEqual([])
    expect(calls).toEqual(["a", "b"])
  })

  it("shows nothing of what an operation threw", async () => {
    const { endpoint, database, unexpected } = putEndpoint()
    const { status, json } = await ask(endpoint, atomic(...puts({ key: "a" }, { key: "b", end: "throw" })))
    expect([status, json]).toEqual([500, undone(1, "INTERNAL", "the operation failed unexpectedly")])
    expect(database.keys).toEqual([])
    expect(unexpected).toEqual([new Error("secret b")])
  })

  it("begins no transaction if its first operation is refused beforehand", async () => {
    const { endpoint, database } = putEndpoint()
    const { status, json } = await ask(endpoint, atomic({ action: "refuse", data: {} }, ...puts({ key: "a" })))
    expect([status, json]).toEqual([422, undone(0, "VALIDATION_ERROR", "refused")])
    expect(database.begun).toBe(0)
  })

  it("tells of the failure with the lowest index, refused beforehand or not", async () => {
    const { endpoint, database } = putEndpoint()
    const refused = { action: "refuse", data: {} }
    const later = await ask(endpoint, atomic(...puts({ key: "a" }), refused, { action: "none" }))
    expect([later.status, later.json]).toEqual([422, undone(1, "VALIDATION_ERROR", "refused")])
    const earlier = await ask(endpoint, atomic(...puts({ key: "a", end: "fail" }), refused))
    expect([earlier.status, earlier.json]).toEqual([404, undone(0, "NOT_FOUND", "key a not found")])
    expect(database.keys).toEqual([])
  })

  it("is undone at the deadline, and what its handlers do later is lost", async () => {
    const { endpoint, database, heard } = putEndpoint({ limits: { deadline: 100 } })
    const batch = atomic(...puts({ key: "a" }, { key: "b", end: "late" }, { key: "c" }))
    const { status, json } = await ask(endpoint, batch)
    expect([status, json]).toEqual([504, undone(1, "DEADLINE_EXCEEDED", "the time for the batch was over")])
    await until(() => heard.length === 2)
    expect(heard).toEqual(["b: AbortError", "The transaction has ended"])
    expect(database.keys).toEqual([])
  })

  it("does not wait at the deadline for a handler that does not listen", async () => {
    const { endpoint, database } = putEndpoint({ limits: { deadline: 100 } })
    const { status, json } = await ask(endpoint, atomic(...puts({ key: "a", end: "hang" })))
    expect([status, json]).toEqual([504, undone(0, "DEADLINE_EXCEEDED", "the time for the batch was over")])
    expect((await ask(endpoint, atomic(...puts({ key: "b" })))).status).toBe(200)
    expect(database.keys).toEqual(["b"])
  })

  it("that got no connection before the deadline does nothing with one that comes later", async () => {
    const { endpoint, database, calls } = putEndpoint({ limits: { deadline: 50 } })
    const { open, passed } = gate()
    database.beforeBegin = () => passed
    const { status, json } = await ask(endpoint, atomic(...puts({ key: "a" }, { key: "b" })))
    expect([status, json]).toEqual([504, undone(0, "DEADLINE_EXCEEDED", "the time for the batch was over")])
    open()
    await until(() => database.begun === 1)
    await new Promise((resolve) => setTimeout(resolve, 10))
    expect([calls, database.keys]).toEqual([[], []])
  })

  it("is undone when an operation takes too long", async () => {
    const { endpoint, database, heard } = putEndpoint({ limits: { operationTimeout: 50 } })
    const { status, json } = await ask(endpoint, atomic(...puts({ key: "a" }, { key: "b", end: "late" })))
    expect([status, json]).toEqual([504, undone(1, "TIMEOUT", "the operation took longer than 50 ms")])
    await until(() => heard.length === 2)
    expect(heard[0]).toBe("b: TimeoutError")
    expect(database.keys).toEqual([])
  })

  it("gives each operation time of its own", async () => {
    const { endpoint, database } = putEndpoint({ limits: { operationTimeout: 1_000 } })
    database.beforeBegin = () => new Promise((resolve) => setTimeout(resolve, 1_500))
    expect((await ask(endpoint, atomic(...puts({ key: "a" }, { key: "b" })))).status).toBe(200)
  })

  it("is undone when the client goes away", async () => {
    const { endpoint, database, calls, heard } = putEndpoint()
    const gone = new AbortController()
    const batch = atomic(...puts({ key: "a" }, { key: "b", end: "late" }, { key: "c" }))
    const asking = ask(endpoint, batch, { signal: gone.signal })
    await until(() => calls.length === 2)
    gone.abort()
    expect((await asking).status).toBe(499)
    await until(() => heard.length === 2)
    expect([calls, database.keys]).toEqual([["a", "b"], []])
  })

  it("is not begun if the client was gone before", async () => {
    const { endpoint, database } = putEndpoint()
    expect((await ask(endpoint, atomic(...puts({ key: "a" })), { signal: AbortSignal.abort() })).status).toBe(499)
    expect(database.begun).toBe(0)
  })

  it("whose commit is on its way at the deadline is waited for, and told of as it ends", async () => {
    for (const [end, expected] of [
      ["committed", 200],
      ["unknown", 503],
    ] as const) {
      const { endpoint, database } = putEndpoint({ limits: { deadline: 50 }, commits: [end] })
      database.beforeCommitted = () => new Promise((resolve) => setTimeout(resolve, 200))
      expect((await ask(endpoint, atomic(...puts({ key: "a" })))).status).toBe(expected)
      expect(database.keys).toEqual(end === "committed" ? ["a"] : [])
    }
  })

  it("whose commit is on its way when the client goes away is told of as it ends", async () => {
    const { endpoint, database } = putEndpoint()
    const gone = new AbortController()
    database.beforeCommitted = async () => {
      gone.abort()
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    expect((await ask(endpoint, atomic(...puts({ key: "a" })), { signal: gone.signal })).status).toBe(200)
    expect(database.keys).toEqual(["a"])
  })

  it("is not tried again after the deadline when its commit came to nothing", async () => {
    const { endpoint, database, calls } = putEndpoint({ limits: { deadline: 50 }, commits: ["transient"] })
    database.beforeCommitted = () => new Promise((resolve) => setTimeout(resolve, 200))
    const { status, json } = await ask(endpoint, atomic(...puts({ key: "a" }, { key: "b" })))
    expect([status, json]).toEqual([504, undone(0, "DEADLINE_EXCEEDED", "the time for the batch was over")])
    expect([calls, database.keys]).toEqual([["a", "b"], []])
  })

  it("whose outcome cannot be found out is a problem, not a guess", async () => {
    const { endpoint } = putEndpoint({ commits: ["unknown"] })
    const { status, type, json } = await ask(endpoint, atomic(...puts({ key: "a" }, { key: "b" })))
    expect([status, type]).toEqual([503, "application/problem+json"])
    expect(json).toMatchObject({ status: 503, code: "OUTCOME_UNKNOWN" })
    expect(json).not.toHaveProperty("operations_applied")
  })

  it("is tried again from the start when rivals were in the way", async () => {
    const { endpoint, database, calls } = putEndpoint({ commits: ["transient", "transient"] })
    const { status, json } = await ask(endpoint, atomic(...puts({ key: "a" }, { key: "b" })))
    expect([status, codes(json)]).toEqual([200, ["success", "success"]])
    expect(calls).toEqual(["a", "b", "a", "b", "a", "b"])
    expect(database.keys).toEqual(["a", "b"])
  })

  it("that rivals defeat as often as it is tried is a conflict that may be retried", async () => {
    const { endpoint, database } = putEndpoint()
    const { status, json } = await ask(endpoint, atomic(...puts({ key: "a" }, { key: "b", end: "transient" })))
    expect(status).toBe(409)
    expect(json).toMatchObject({ code: "CONFLICT", operations_applied: 0, failed_index: 0 })
    expect(database).toMatchObject({ keys: [], begun: 4 })
  })

  it("whose commit the database refuses has failed unexpectedly", async () => {
    const { endpoint, database, unexpected } = putEndpoint({ commits: [new Error("deferred check")] })
    const { status, json } = await ask(endpoint, atomic(...puts({ key: "a" }, { key: "b" })))
    expect([status, json]).toEqual([500, undone(0, "INTERNAL", "the operation failed unexpectedly")])
    expect([database.keys, unexpected]).toEqual([[], [new Error("deferred check")]])
  })

  it("leaves what is running beside it alone", async () => {
    const { endpoint, database } = putEndpoint()
    const batches = Array.from({ length: 20 }, (_, index) =>
      ask(
        endpoint,
        atomic(...puts({ key: `${index} a` }, { key: `${index} b`, ...(index % 2 === 0 && { end: "fail" }) })),
      ),
    )
    const statuses = (await Promise.all(batches)).map(({ status }) => status)
    expect(statuses).toEqual(statuses.map((_, index) => (index % 2 === 0 ? 404 : 200)))
    expect(database.keys).toHaveLength(20)
  })
})

describe("a coalesced call in an atomic batch", () => {
  const many = (...items: ReadonlyArray<object>) => atomic(...items.map((data) => ({ action: "puts", data })))

  it("is one call", async () => {
    const { endpoint, database, calls } = putEndpoint()
    expect((await ask(endpoint, many({ key: "a" }, { key: "b" }, { key: "c" }))).status).toBe(200)
    expect(calls).toEqual(["many 3", "a", "b", "c"])
    expect(database.keys).toEqual(["a", "b", "c"])
  })

  it("undoes everything when it answers a failure for one item", async () => {
    const { endpoint, database } = putEndpoint()
    const { status, json } = await ask(
      endpoint,
      many({ key: "a" }, { key: "b", end: "fail" }, { key: "c", end: "fail" }),
    )
    expect([status, json]).toEqual([404, undone(1, "NOT_FOUND", "key b not found")])
    expect(database.keys).toEqual([])
  })

  it("that throws as a whole names the first offender, found in savepoints", async () => {
    for (const offender of [0, 1, 2, 3, 4, 5, 6]) {
      const { endpoint, database, unexpected } = putEndpoint()
      const items = Array.from({ length: 7 }, (_, index) => ({
        key: `${index}`,
        ...(index >= offender && { end: "throw" }),
      }))
      const { status, json } = await ask(endpoint, many(...items))
      expect([status, json]).toEqual([500, undone(offender, "INTERNAL", "the operation failed unexpectedly")])
      expect(database.keys).toEqual([])
      expect(database.savepoints).toBeGreaterThan(1)
      expect(unexpected).toEqual([new Error(`secret ${offender}`)])
    }
  })

  it("that meets rivals is not isolated but tried again as a whole", async () => {
    const { endpoint, database, calls } = putEndpoint()
    expect((await ask(endpoint, many({ key: "a" }, { key: "b", end: "transient" }))).status).toBe(409)
    expect(calls).toEqual([1, 2, 3, 4].flatMap(() => ["many 2", "a", "b"]))
    expect(database.keys).toEqual([])
  })
})

describe("what is configured to be atomic", () => {
  it("is refused at the start without a unit of work", () => {
    const message = /needs a unit of work/
    expect(() => putEndpoint({ unitOfWork: undefined, clientStrategies: ["atomic"] })).toThrow(message)
    expect(() => putEndpoint({ unitOfWork: undefined, clientStrategies: [], strategy: "atomic" })).toThrow(message)
    const { batch, things } = putEndpoint({ unitOfWork: undefined, clientStrategies: [] })
    expect(() => batch.operations(things, { strategy: "atomic" })).toThrow(message)
    expect(() => batch.bulk(things, "put", { clientStrategies: ["atomic"] })).toThrow(message)
    expect(() => batch.requests(() => Promise.reject(new Error()), { strategy: "atomic" })).toThrow(message)
    expect(() => batch.operations(things, { transactionSize: 5 })).toThrow(/"transactionSize" needs transactions/)
  })

  it("is refused to clients where it is not offered", async () => {
    const { endpoint } = putEndpoint({ clientStrategies: [] })
    const { status, json } = await ask(endpoint, atomic(...puts({ key: "a" })))
    expect([status, json]).toMatchObject([400, { code: "STRATEGY_NOT_OFFERED" }])
  })

  it("is atomic unasked where the endpoint says so", async () => {
    const { endpoint, database } = putEndpoint({ clientStrategies: [], strategy: "atomic" })
    const { status, json } = await ask(endpoint, { operations: puts({ key: "a" }, { key: "b", end: "fail" }) })
    expect([status, json]).toEqual([404, undone(1, "NOT_FOUND", "key b not found")])
    expect(database.keys).toEqual([])
  })

  it("gives bulk endpoints the same answers", async () => {
    const { batch, things, database } = putEndpoint({ strategy: "atomic" })
    const bulk = batch.bulk(things, "puts", { count: "put" })
    expect((await ask(bulk, { things: [{ key: "a" }, { key: "b" }] })).json).toEqual({
      put: 2,
      things: [{ id: "a" }, { id: "b" }],
    })
    const failed = await ask(bulk, { things: [{ key: "c" }, { key: "d", end: "fail" }] })
    expect([failed.status, failed.json]).toEqual([404, undone(1, "NOT_FOUND", "key d not found")])
    database.commits = ["unknown"]
    expect(await ask(bulk, { things: [{ key: "e" }] })).toMatchObject({
      status: 503,
      json: { code: "OUTCOME_UNKNOWN" },
    })
    expect(database.keys).toEqual(["a", "b"])
  })
})
