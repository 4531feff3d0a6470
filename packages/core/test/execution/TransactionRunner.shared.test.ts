import { describe, expect, it } from "vitest"
import { ask, codes, type Given, putEndpoint, puts, until } from "../support/puts.ts"

const shared = (size: number, options: Given = {}) => putEndpoint({ transactionSize: size, ...options })

const keys = (count: number) => Array.from({ length: count }, (_, index) => ({ key: `${index}` }))

describe("operations that share a transaction", () => {
  it("are so many to each, and one by one in it", async () => {
    for (const [size, transactions] of [
      [1, 7],
      [3, 3],
      [7, 1],
      [100, 1],
    ] as const) {
      const { endpoint, database, calls } = shared(size)
      expect((await ask(endpoint, { operations: puts(...keys(7)) })).status).toBe(200)
      expect(database.begun).toBe(transactions)
      expect(calls).toEqual(["0", "1", "2", "3", "4", "5", "6"])
    }
  })

  it("are undone alone when they fail", async () => {
    const { endpoint, database } = shared(10)
    const items = [
      { key: "a" },
      { key: "b", end: "fail" },
      { key: "c" },
      { key: "d", end: "throw" },
      { key: "e" },
    ] as const
    const { status, json } = await ask(endpoint, { operations: puts(...items) })
    expect(status).toBe(207)
    expect(codes(json)).toEqual(["success", "error NOT_FOUND", "success", "error INTERNAL", "success"])
    expect(database).toMatchObject({ keys: ["a", "c", "e"], begun: 1 })
  })

  it("have a transaction for each coalesced call", async () => {
    const { endpoint, database, calls } = shared(2)
    const many = (count: number, from: string) =>
      Array.from({ length: count }, (_, index) => ({ action: "puts", data: { key: `${from}${index}` } }))
    const operations = [...puts({ key: "a" }), ...many(5, "m"), ...puts({ key: "b" }, { key: "c" }, { key: "d" })]
    expect((await ask(endpoint, { operations })).status).toBe(200)
    expect(calls.filter((call) => call.startsWith("many"))).toEqual(["many 5"])
    expect(database).toMatchObject({ begun: 4 })
    expect(database.keys).toHaveLength(9)
  })

  it("find the offenders of a coalesced call, and keep the others", async () => {
    const { endpoint, database } = shared(2)
    const operations = Array.from({ length: 9 }, (_, index) => ({
      action: "puts",
      data: { key: `${index}`, ...([2, 7].includes(index) && { end: "throw" }) },
    }))
    const { json } = await ask(endpoint, { operations })
    expect(codes(json)).toEqual(operations.map((_, index) => ([2, 7].includes(index) ? "error INTERNAL" : "success")))
    expect([...database.keys].sort()).toEqual(["0", "1", "3", "4", "5", "6", "8"])
  })

  it("are tried again together after a conflict, and each succeeds once", async () => {
    const { endpoint, database } = shared(10, { commits: ["transient"] })
    const { json } = await ask(endpoint, { operations: puts({ key: "a" }, { key: "b", end: "fail" }, { key: "c" }) })
    expect(codes(json)).toEqual(["success", "error NOT_FOUND", "success"])
    expect(database).toMatchObject({ keys: ["a", "c"], begun: 2 })
  })

  it("all say so if the outcome of their commit is unknown, except those that had failed", async () => {
    const { endpoint } = shared(2, { commits: ["unknown"] })
    const items = [{ key: "a" }, { key: "b", end: "fail" }, { key: "c" }] as const
    const { status, json } = await ask(endpoint, { operations: puts(...items) })
    expect(status).toBe(207)
    expect(codes(json)).toEqual(["error OUTCOME_UNKNOWN", "error NOT_FOUND", "success"])
  })

  it("all conflict where rivals defeat them as often as they are tried", async () => {
    const { endpoint, database } = shared(2)
    const items = [{ key: "a" }, { key: "b", end: "transient" }, { key: "c" }] as const
    const { json } = await ask(endpoint, { operations: puts(...items) })
    expect(codes(json)).toEqual(["error CONFLICT", "error CONFLICT", "success"])
    expect(database.keys).toEqual(["c"])
  })

  it("all fail if their commit is refused", async () => {
    const { endpoint, database } = shared(2, { commits: [new Error("deferred check")] })
    const { json } = await ask(endpoint, { operations: puts(...keys(3)) })
    expect(codes(json)).toEqual(["error INTERNAL", "error INTERNAL", "success"])
    expect(database.keys).toEqual(["2"])
  })

  it("are undone at the deadline; those that had not begun are skipped", async () => {
    const { endpoint, database } = shared(5, { limits: { deadline: 100 } })
    const items = [{ key: "a" }, { key: "b", end: "fail" }, { key: "c", end: "hang" }, { key: "d" }] as const
    const { json } = await ask(endpoint, { operations: puts(...items, { key: "e" }, { key: "next" }) })
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

  it("keep what was committed before the deadline", async () => {
    const { endpoint, database } = shared(1, { limits: { deadline: 200 } })
    const { json } = await ask(endpoint, { operations: puts({ key: "a" }, { key: "b", end: "hang" }, { key: "c" }) })
    expect(codes(json)).toEqual(["success", "error DEADLINE_EXCEEDED", "skipped DEADLINE_EXCEEDED"])
    expect(database.keys).toEqual(["a"])
  })

  it("are undone with one that takes too long, and may be tried again", async () => {
    const { endpoint, database } = shared(3, { limits: { operationTimeout: 50 } })
    const items = [{ key: "a" }, { key: "b", end: "hang" }, { key: "c" }, { key: "d" }] as const
    const { json } = await ask(endpoint, { operations: puts(...items) })
    expect(codes(json)).toEqual(["error ROLLED_BACK", "error TIMEOUT", "error ROLLED_BACK", "success"])
    expect(database.keys).toEqual(["d"])
  })

  it("may finish when the client goes away; the rest does not begin", async () => {
    const { endpoint, database, calls } = shared(2)
    const gone = new AbortController()
    database.beforeCommitted = async () => gone.abort()
    await ask(endpoint, { operations: puts(...keys(4)) }, { signal: gone.signal })
    expect([calls, database.keys]).toEqual([
      ["0", "1"],
      ["0", "1"],
    ])
  })

  it("share none with those of a stop-after batch", async () => {
    const { endpoint, database } = shared(3, { clientStrategies: ["stop-after"] })
    const { json } = await ask(endpoint, { stop_after: 1, operations: puts({ key: "a", end: "fail" }, { key: "b" }) })
    expect(codes(json)).toEqual(["error NOT_FOUND", "skipped SKIPPED"])
    expect(database.begun).toBe(0)
  })

  it("run beside other groups, so many at once", async () => {
    const { endpoint, database } = shared(2, { concurrency: 3 })
    let waiting = 0
    let open = (): void => undefined
    const passed = new Promise<void>((resolve) => (open = resolve))
    const { run } = database
    Object.assign(database, {
      run: async (...parameters: Parameters<typeof run>) => {
        waiting++
        await passed
        return run(...parameters)
      },
    })
    const asking = ask(endpoint, { operations: puts(...keys(9)) })
    await until(() => waiting === 3)
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(waiting).toBe(3)
    open()
    expect((await asking).status).toBe(200)
    expect(waiting).toBe(5)
  })
})
