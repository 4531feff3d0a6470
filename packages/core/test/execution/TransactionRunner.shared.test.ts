import { describe, expect, it } from "vitest"
import { codes, putEndpoint, type PutOptions, puts, sendBatch, until } from "../support/putEndpoint.ts"

const sharedEndpoint = (size: number, options: PutOptions = {}) => putEndpoint({ transactionSize: size, ...options })

const keys = (count: number) => Array.from({ length: count }, (_, index) => ({ key: `${index}` }))

describe("operations that share a transaction", () => {
  it("run one by one, `transactionSize` to a transaction", async () => {
    for (const [size, transactions] of [
      [1, 7],
      [3, 3],
      [7, 1],
      [100, 1],
    ] as const) {
      const { endpoint, database, calls } = sharedEndpoint(size)
      expect((await sendBatch(endpoint, { operations: puts(...keys(7)) })).status).toBe(200)
      expect(database.begun).toBe(transactions)
      expect(calls).toEqual(["0", "1", "2", "3", "4", "5", "6"])
    }
  })

  it("are undone individually if they fail", async () => {
    const { endpoint, database } = sharedEndpoint(10)
    const items = [
      { key: "a" },
      { key: "b", end: "fail" },
      { key: "c" },
      { key: "d", end: "throw" },
      { key: "e" },
    ] as const
    const { status, json } = await sendBatch(endpoint, { operations: puts(...items) })
    expect(status).toBe(207)
    expect(codes(json)).toEqual(["success", "error NOT_FOUND", "success", "error INTERNAL", "success"])
    expect(database).toMatchObject({ keys: ["a", "c", "e"], begun: 1 })
  })

  it("do not include coalesced calls, which have transactions of their own", async () => {
    const { endpoint, database, calls } = sharedEndpoint(2)
    const coalesced = (count: number, prefix: string) =>
      Array.from({ length: count }, (_, index) => ({ action: "puts", data: { key: `${prefix}${index}` } }))
    const operations = [...puts({ key: "a" }), ...coalesced(5, "m"), ...puts({ key: "b" }, { key: "c" }, { key: "d" })]
    expect((await sendBatch(endpoint, { operations })).status).toBe(200)
    expect(calls.filter((call) => call.startsWith("many"))).toEqual(["many 5"])
    expect(database).toMatchObject({ begun: 4 })
    expect(database.keys).toHaveLength(9)
  })

  it("keep the other operations of a coalesced call that throws", async () => {
    const { endpoint, database } = sharedEndpoint(2)
    const operations = Array.from({ length: 9 }, (_, index) => ({
      action: "puts",
      data: { key: `${index}`, ...([2, 7].includes(index) && { end: "throw" }) },
    }))
    const { json } = await sendBatch(endpoint, { operations })
    expect(codes(json)).toEqual(operations.map((_, index) => ([2, 7].includes(index) ? "error INTERNAL" : "success")))
    expect([...database.keys].sort()).toEqual(["0", "1", "3", "4", "5", "6", "8"])
  })

  it("are retried together after a transient error, and take effect once", async () => {
    const { endpoint, database } = sharedEndpoint(10, { commits: ["transient"] })
    const { json } = await sendBatch(endpoint, {
      operations: puts({ key: "a" }, { key: "b", end: "fail" }, { key: "c" }),
    })
    expect(codes(json)).toEqual(["success", "error NOT_FOUND", "success"])
    expect(database).toMatchObject({ keys: ["a", "c"], begun: 2 })
  })

  it("get OUTCOME_UNKNOWN if the outcome of their commit is unknown, unless they had failed", async () => {
    const { endpoint } = sharedEndpoint(2, { commits: ["unknown"] })
    const items = [{ key: "a" }, { key: "b", end: "fail" }, { key: "c" }] as const
    const { status, json } = await sendBatch(endpoint, { operations: puts(...items) })
    expect(status).toBe(207)
    expect(codes(json)).toEqual(["error OUTCOME_UNKNOWN", "error NOT_FOUND", "success"])
  })

  it("all get CONFLICT if every attempt fails with a transient error", async () => {
    const { endpoint, database } = sharedEndpoint(2)
    const items = [{ key: "a" }, { key: "b", end: "transient" }, { key: "c" }] as const
    const { json } = await sendBatch(endpoint, { operations: puts(...items) })
    expect(codes(json)).toEqual(["error CONFLICT", "error CONFLICT", "success"])
    expect(database.keys).toEqual(["c"])
  })

  it("all fail if the database rejects their commit", async () => {
    const { endpoint, database } = sharedEndpoint(2, { commits: [new Error("deferred check")] })
    const { json } = await sendBatch(endpoint, { operations: puts(...keys(3)) })
    expect(codes(json)).toEqual(["error INTERNAL", "error INTERNAL", "success"])
    expect(database.keys).toEqual(["2"])
  })

  it("are rolled back at the deadline, and skipped if they had not started", async () => {
    const { endpoint, database } = sharedEndpoint(5, { limits: { deadline: 100 } })
    const items = [{ key: "a" }, { key: "b", end: "fail" }, { key: "c", end: "hang" }, { key: "d" }] as const
    const { json } = await sendBatch(endpoint, { operations: puts(...items, { key: "e" }, { key: "next" }) })
    expect(codes(json)).toEqual([
      "error DEADLINE_EXCEEDED",
      "error NOT_FOUND",
      "error DEADLINE_EXCEEDED",
      "skipped DEADLINE_EXCEEDED",
      "skipped DEADLINE_EXCEEDED",
      "skipped DEADLINE_EXCEEDED",
    ])
    expect(database.keys).toEqual([])
  })

  it("stay committed if their transaction committed before the deadline", async () => {
    const { endpoint, database } = sharedEndpoint(1, { limits: { deadline: 200 } })
    const { json } = await sendBatch(endpoint, {
      operations: puts({ key: "a" }, { key: "b", end: "hang" }, { key: "c" }),
    })
    expect(codes(json)).toEqual(["success", "error DEADLINE_EXCEEDED", "skipped DEADLINE_EXCEEDED"])
    expect(database.keys).toEqual(["a"])
  })

  it("are rolled back with one that times out", async () => {
    const { endpoint, database } = sharedEndpoint(3, { limits: { operationTimeout: 50 } })
    const items = [{ key: "a" }, { key: "b", end: "hang" }, { key: "c" }, { key: "d" }] as const
    const { json } = await sendBatch(endpoint, { operations: puts(...items) })
    expect(codes(json)).toEqual(["error ROLLED_BACK", "error TIMEOUT", "error ROLLED_BACK", "success"])
    expect(database.keys).toEqual(["d"])
  })

  it("finish if the client disconnects, and no others start", async () => {
    const { endpoint, database, calls } = sharedEndpoint(2)
    const client = new AbortController()
    database.beforeCommitted = async () => client.abort()
    await sendBatch(endpoint, { operations: puts(...keys(4)) }, { signal: client.signal })
    expect({ calls, keys: database.keys }).toEqual({ calls: ["0", "1"], keys: ["0", "1"] })
  })

  it("do not share transactions with the strategy stop-after", async () => {
    const { endpoint, database } = sharedEndpoint(3, { clientStrategies: ["stop-after"] })
    const { json } = await sendBatch(endpoint, {
      stop_after: 1,
      operations: puts({ key: "a", end: "fail" }, { key: "b" }),
    })
    expect(codes(json)).toEqual(["error NOT_FOUND", "skipped SKIPPED"])
    expect(database.begun).toBe(0)
  })

  it("run concurrently with other groups, up to `concurrency` at once", async () => {
    const { endpoint, database } = sharedEndpoint(2, { concurrency: 3 })
    let waiting = 0
    const connection = Promise.withResolvers<void>()
    const { run } = database
    Object.assign(database, {
      run: async (...parameters: Parameters<typeof run>) => {
        waiting++
        await connection.promise
        return run(...parameters)
      },
    })
    const sending = sendBatch(endpoint, { operations: puts(...keys(9)) })
    await until(() => waiting === 3)
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(waiting).toBe(3)
    connection.resolve()
    expect((await sending).status).toBe(200)
    expect(waiting).toBe(5)
  })
})
