import { describe, expect, it } from "vitest"
import { memoryIdempotencyStore } from "../../src/idempotency/memoryIdempotencyStore.ts"
import { FakeDatabase } from "../support/FakeDatabase.ts"
import { send } from "../support/endpoints.ts"
import { creates, withJobs } from "../support/jobs.ts"

interface Page {
  readonly results: ReadonlyArray<{
    readonly index: number
    readonly status: string
    readonly error?: { code: string }
  }>
  readonly next_cursor?: string
}

const pages = async ({ json }: ReturnType<typeof withJobs>, location: string, query = "") => {
  const results: Array<Page["results"][number]> = []
  let cursor: string | undefined = ""
  while (cursor !== undefined) {
    const page: Page = (await json("GET", `${location}/results?${cursor}${query}`)).json
    results.push(...page.results)
    cursor = page.next_cursor === undefined ? undefined : `cursor=${page.next_cursor}&`
  }
  return results
}

describe("a batch that its client does not wait for", () => {
  it("is answered with where its job is, and runs", async () => {
    const jobs = withJobs({ url: "https://api.test/jobs/" })
    const { status, headers, json } = await jobs.submit(creates(120))
    expect(status).toBe(202)
    expect(headers).toMatchObject({ "retry-after": "1", "preference-applied": "respond-async" })
    expect(headers["location"]).toBe(`https://api.test/jobs/${json.id}`)
    expect(json).toEqual({ id: expect.stringMatching(/^[\w-]{22}$/), status: "queued", total: 120 })
    const job = await jobs.ended(headers["location"]!)
    expect(job).toMatchObject({
      id: json.id,
      status: "succeeded",
      total: 120,
      completed: 120,
      succeeded: 120,
      failed: 0,
    })
    expect(Date.parse(job.expires_at)).toBeGreaterThan(Date.parse(job.updated_at))
    expect(jobs.done.inputs).toHaveLength(120)
  })

  it("is run at once where there are no jobs, and where an endpoint is to have none", async () => {
    const jobs = withJobs()
    const endpoint = jobs.batch.operations(
      { ...(await import("../support/endpoints.ts")).users },
      { jobs: undefined, name: "plain" },
    )
    const value = { operations: [{ action: "create", data: {} }] }
    const { status } = await send(endpoint, value, { raw: "a", headers: { prefer: "respond-async" } })
    expect(status).toBe(200)
  })

  it("becomes a job by itself beyond a number of operations, and is held to the limits of jobs", async () => {
    const jobs = withJobs({ above: 5, operations: 20 }, { limits: { operations: 10 } })
    const ask = (count: number) => send(jobs.operations, creates(count), { raw: "a" })
    expect((await ask(5)).status).toBe(200)
    expect((await ask(6)).status).toBe(202)
    expect((await ask(20)).status).toBe(202)
    expect((await ask(21)).json).toMatchObject({ code: "TOO_MANY_OPERATIONS", limit: 20, actual: 21 })
  })

  it("is answered as ever, if it has ended within the time that the client waits", async () => {
    const jobs = withJobs()
    const prefer = "respond-async, wait=5"
    const mixed = await jobs.submit(
      creates(3, (n) => ({ n: n - 1 })),
      { prefer },
    )
    expect(mixed.status).toBe(207)
    expect(mixed.json).toMatchObject({ status: "partial", succeeded: 2, failed: 1 })
    expect(mixed.json.results[0]).toEqual({
      index: 0,
      status: "error",
      error: { code: "CONFLICT", message: "Negative" },
    })
    const bulk = await jobs.submit({ things: [{ n: 1 }, { n: 2 }] }, { prefer }, jobs.bulk)
    expect([bulk.status, bulk.json]).toEqual([
      201,
      {
        created: 2,
        things: [
          { id: "t_1", n: 1 },
          { id: "t_2", n: 2 },
        ],
      },
    ])
    const slow = await jobs.submit(
      creates(1, () => ({ ms: 3000 })),
      { prefer: "respond-async, wait=1" },
    )
    expect(slow.status).toBe(202)
  })

  it("is refused as ever, and nothing of it is kept", async () => {
    const jobs = withJobs()
    expect((await jobs.submit({ operations: [] })).json.code).toBe("EMPTY_BATCH")
    expect((await jobs.submit({ operations: "x" })).json.code).toBe("INVALID_BATCH")
    expect(await jobs.engine.store.queued()).toBe(0)
  })
})

describe("results of a job", () => {
  it("come page by page, in request order, whatever ends first", async () => {
    const jobs = withJobs({ chunkOperations: 7, sliceOperations: 3 })
    const { headers } = await jobs.submit(creates(60, (n) => ({ n: n % 10 === 0 ? -1 : n })))
    const location = headers["location"]!
    expect(await jobs.ended(location)).toMatchObject({ status: "partial", succeeded: 54, failed: 6 })
    const all = await pages(jobs, location, "limit=13")
    expect(all.map(({ index }) => index)).toEqual(Array.from({ length: 60 }, (_, n) => n))
    const failed = await pages(jobs, location, "status=failed&limit=4")
    expect(failed.map(({ index }) => index)).toEqual([0, 10, 20, 30, 40, 50])
    const lines = await jobs.ask("GET", `${location}/results`, { headers: { accept: "application/x-ndjson" } })
    let text = ""
    for await (const part of lines.stream!) text += part
    expect(
      text
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).index),
    ).toEqual(all.map(({ index }) => index))
  })

  it("may be read while it runs: nothing is missed, and nothing comes twice", async () => {
    const jobs = withJobs({ chunkOperations: 5 })
    const { headers } = await jobs.submit(creates(60, () => ({ ms: 4 })))
    const location = headers["location"]!
    const seen: Array<number> = []
    let cursor = ""
    await expect
      .poll(
        async () => {
          const page: Page = (await jobs.json("GET", `${location}/results?limit=9${cursor}`)).json
          seen.push(...page.results.map(({ index }) => index))
          if (page.next_cursor !== undefined) cursor = `&cursor=${page.next_cursor}`
          return page.next_cursor
        },
        { timeout: 10_000, interval: 5 },
      )
      .toBeUndefined()
    expect(seen).toEqual(Array.from({ length: 60 }, (_, n) => n))
  })

  it("carry what was returned only where the client asks for it", async () => {
    const jobs = withJobs()
    const plain = await jobs.submit(creates(1))
    await jobs.ended(plain.headers["location"]!)
    expect(await pages(jobs, plain.headers["location"]!)).toEqual([{ index: 0, status: "success", id: "t_0" }])
    const full = await jobs.submit(creates(1), { prefer: "respond-async, return=representation" })
    await jobs.ended(full.headers["location"]!)
    expect(await pages(jobs, full.headers["location"]!)).toEqual([
      { index: 0, status: "success", id: "t_0", data: { id: "t_0", n: 0 } },
    ])
  })

  it.each([
    ["status=none", '"status"'],
    ["limit=0", '"limit"'],
    ["limit=x", '"limit"'],
    ["cursor=nonsense", '"cursor"'],
  ])("are not given for %s, and the answer says why", async (query, words) => {
    const jobs = withJobs()
    const { headers } = await jobs.submit(creates(1))
    const { status, json } = await jobs.json("GET", `${headers["location"]}/results?${query}`)
    expect([status, json.code]).toEqual([400, "INVALID_REQUEST"])
    expect(json.detail).toContain(words)
  })
})

describe("a job", () => {
  it("is nobody else's, and is not there for them", async () => {
    const jobs = withJobs()
    const { headers } = await jobs.submit(creates(1))
    for (const [method, path] of [
      ["GET", ""],
      ["GET", "/results"],
      ["GET", "/events"],
      ["DELETE", ""],
    ] as const) {
      const { status, json } = await jobs.json(method, `${headers["location"]}${path}`, { raw: "b" })
      expect([status, json.code]).toEqual([404, "NOT_FOUND"])
    }
    const unknown = await jobs.json("GET", "/jobs/AAAAAAAAAAAAAAAAAAAAAA")
    expect(unknown.status).toBe(404)
  })

  it("that was stopped keeps what was done, and begins nothing more", async () => {
    const jobs = withJobs({ chunkOperations: 10, sliceOperations: 5, window: 1 }, { concurrency: 1 })
    const { headers } = await jobs.submit(creates(100, () => ({ ms: 20 })))
    const location = headers["location"]!
    await expect.poll(() => jobs.done.inputs.length, { timeout: 5000, interval: 5 }).toBeGreaterThan(12)
    const stopped = await jobs.json("DELETE", location)
    expect([202, 200]).toContain(stopped.status)
    const job = await jobs.ended(location)
    expect(job).toMatchObject({ status: "cancelled", completed: 100 })
    expect(job.succeeded).toBeLessThan(40)
    const results = await pages(jobs, location)
    expect(results).toHaveLength(100)
    expect(results.at(-1)).toMatchObject({ index: 99, status: "skipped", error: { code: "CANCELLED" } })
    const before = jobs.done.inputs.length
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(jobs.done.inputs).toHaveLength(before)
  })

  it("that was stopped while it waited for its quota ends at once, with what was done", async () => {
    const jobs = withJobs({ sliceOperations: 10 }, { quota: { operations: 20, per: "1 day" } })
    const { headers } = await jobs.submit(creates(50))
    const location = headers["location"]!
    await expect.poll(() => jobs.done.inputs.length, { timeout: 5000, interval: 5 }).toBe(20)
    await new Promise((resolve) => setTimeout(resolve, 50))
    await jobs.json("DELETE", location)
    expect(await jobs.ended(location)).toMatchObject({ status: "cancelled", succeeded: 20, completed: 50 })
    const results = await pages(jobs, location)
    expect(results.map(({ status }) => status)).toEqual(
      Array.from({ length: 50 }, (_, index) => (index < 20 ? "success" : "skipped")),
    )
  })

  it("tells running operations that it was stopped", async () => {
    const jobs = withJobs()
    const { headers } = await jobs.submit(creates(20, () => ({ ms: 60_000 })))
    await expect.poll(() => jobs.done.inputs.length).toBeGreaterThan(0)
    await jobs.json("DELETE", headers["location"]!)
    expect(await jobs.ended(headers["location"]!)).toMatchObject({ status: "cancelled" })
  })

  it("says by its tag whether anything has changed", async () => {
    const jobs = withJobs()
    const { headers } = await jobs.submit(creates(1))
    await jobs.ended(headers["location"]!)
    const { etag } = (await jobs.ask("GET", headers["location"]!)).headers
    const again = await jobs.ask("GET", headers["location"]!, { headers: { "if-none-match": etag! } })
    expect([again.status, again.body]).toEqual([304, ""])
  })

  it("is followed by its events, which end with it", async () => {
    const jobs = withJobs({ chunkOperations: 5 })
    const { headers } = await jobs.submit(creates(20, () => ({ ms: 100 })))
    const { status, headers: fields, stream } = await jobs.ask("GET", `${headers["location"]}/events`)
    expect([status, fields["content-type"]]).toEqual([200, "text/event-stream"])
    let text = ""
    for await (const part of stream!) text += part
    const events = text
      .trim()
      .split("\n\n")
      .map((event) => event.split("\n"))
    expect(events.at(-1)![0]).toBe("event: done")
    expect(events.slice(0, -1).every(([name]) => name === "event: progress")).toBe(true)
    expect(JSON.parse(events.at(-1)![1]!.slice("data: ".length))).toMatchObject({ status: "succeeded", completed: 20 })
  })

  it("refuses methods that it does not have", async () => {
    const jobs = withJobs()
    const { headers } = await jobs.submit(creates(1))
    const { status, headers: fields } = await jobs.ask("POST", headers["location"]!)
    expect([status, fields["allow"]]).toEqual([405, "GET, HEAD, DELETE"])
  })

  it("runs chunks at once, but those with operations on one target one after the other", async () => {
    const jobs = withJobs({ chunkOperations: 3, sliceOperations: 3 })
    const ids = Array.from({ length: 30 }, (_, n) => `id-${n % 5}-${n}`)
    const touches = (names: ReadonlyArray<string>) => ({ operations: names.map((id) => ({ action: "touch", id })) })
    const apart = await jobs.submit(touches(ids))
    await jobs.ended(apart.headers["location"]!)
    expect(await jobs.engine.store.find(apart.json.id)).toMatchObject({ chunks: 10 })
    const shared = await jobs.submit(touches(ids.map((_, n) => `same-${n % 7}`)))
    await jobs.ended(shared.headers["location"]!)
    expect(jobs.done.inputs.slice(30)).toEqual(ids.map((_, n) => `same-${n % 7}`))
  })

  it("stops after so many failures, over all of its chunks", async () => {
    const jobs = withJobs({ chunkOperations: 10, sliceOperations: 5 }, { concurrency: 1 })
    const { headers } = await jobs.submit({ ...creates(100, (n) => ({ n: n % 8 === 7 ? -1 : n })), stop_after: 3 })
    expect(await jobs.ended(headers["location"]!)).toMatchObject({ failed: 3, succeeded: 21, skipped: 76 })
    expect(jobs.done.inputs).toHaveLength(24)
  })

  it("that is atomic runs as one transaction, up to a limit", async () => {
    const database = new FakeDatabase()
    const options = { unitOfWork: database, strategy: "atomic" as const }
    const jobs = withJobs({ chunkOperations: 5, atomicOperations: 30 }, options)
    const good = await jobs.submit(creates(30))
    expect(await jobs.ended(good.headers["location"]!)).toMatchObject({ status: "succeeded" })
    expect(database.begun).toBe(1)
    const bad = await jobs.submit(creates(30, (n) => ({ n: n === 20 ? -1 : n })))
    expect(await jobs.ended(bad.headers["location"]!)).toMatchObject({ status: "failed", succeeded: 0 })
    expect((await jobs.submit(creates(31))).json).toMatchObject({ code: "TOO_MANY_OPERATIONS", limit: 30 })
  })

  it("waits for its quota, chunk by chunk", async () => {
    const quota = { operations: 30, per: "1 second" }
    const jobs = withJobs({ chunkOperations: 20, sliceOperations: 10 }, { quota })
    const { headers } = await jobs.submit(creates(60))
    expect(await jobs.ended(headers["location"]!)).toMatchObject({ status: "succeeded", succeeded: 60 })
  }, 20_000)

  it("goes on in parts where a chunk costs more than the quota ever has", async () => {
    const quota = { operations: 20, per: "500 millis" }
    const jobs = withJobs({ chunkOperations: 50, sliceOperations: 10 }, { quota })
    const { headers } = await jobs.submit(creates(50))
    expect(await jobs.ended(headers["location"]!)).toMatchObject({ succeeded: 50 })
    const none = withJobs({ sliceOperations: 10 }, { quota: { operations: 5, per: "1 second" } })
    const never = await none.submit(creates(20))
    expect(await none.ended(never.headers["location"]!)).toMatchObject({ failed: 20 })
  }, 20_000)
})

describe("a job with a key", () => {
  it("is made once, however often it is sent", async () => {
    const jobs = withJobs()
    const headers = { "idempotency-key": "once" }
    const first = await jobs.submit(creates(3), headers)
    const second = await jobs.submit(creates(3), headers)
    expect([second.status, second.json.id]).toEqual([202, first.json.id])
    expect(second.headers["idempotency-replayed"]).toBe("true")
    expect((await jobs.submit(creates(4), headers)).json.code).toBe("IDEMPOTENCY_KEY_REUSED")
    await jobs.ended(first.headers["location"]!)
    expect(jobs.done.inputs).toHaveLength(3)
  })

  it("is needed where keys are required", async () => {
    const jobs = withJobs({}, { idempotency: { store: memoryIdempotencyStore(), required: true } })
    expect((await jobs.submit(creates(1))).json.code).toBe("IDEMPOTENCY_KEY_REQUIRED")
    expect((await jobs.upload("{}\n")).json.code).toBe("IDEMPOTENCY_KEY_REQUIRED")
    expect((await jobs.submit(creates(1), { "idempotency-key": "k" })).status).toBe(202)
  })

  it("of its own for an operation does it once, here and in batches that are not jobs", async () => {
    const jobs = withJobs({}, { idempotency: { store: memoryIdempotencyStore() } })
    const value = { operations: [{ action: "create", data: { n: 1 }, idempotency_key: "op" }] }
    await send(jobs.operations, value, { raw: "a", url: "/things/batch" })
    const { headers } = await jobs.submit(value)
    await jobs.ended(headers["location"]!)
    expect(await pages(jobs, headers["location"]!)).toEqual([
      { index: 0, status: "success", id: "t_1", replayed: true },
    ])
    expect(jobs.done.inputs).toHaveLength(1)
  })
})

describe("lines of JSON", () => {
  it("become a job, an operation each, and a line that is none fails alone", async () => {
    const jobs = withJobs({ chunkOperations: 2 }, { limits: { operationBytes: 200 } })
    const lines = [
      JSON.stringify({ action: "create", data: { n: 1 } }),
      "{",
      JSON.stringify({ action: "create", data: { n: 3, text: "x".repeat(300) } }),
      JSON.stringify({ action: "create", data: { n: 4 } }),
    ]
    const { status, headers, json } = await jobs.upload(`${lines.join("\n")}\n`)
    expect([status, json.total]).toEqual([202, 4])
    await jobs.ended(headers["location"]!)
    const results = await pages(jobs, headers["location"]!)
    expect(results.map(({ error }) => error?.code)).toEqual([
      undefined,
      "VALIDATION_ERROR",
      "PAYLOAD_TOO_LARGE",
      undefined,
    ])
    expect(JSON.stringify(results[1])).toContain("Line 2 is not JSON")
  })

  it("are held to their number, and nothing of more is kept", async () => {
    const jobs = withJobs({ uploadOperations: 5, chunkOperations: 2 })
    const { status, json, close } = await jobs.upload("{}\n".repeat(6))
    expect([status, json.code, close]).toEqual([413, "TOO_MANY_OPERATIONS", true])
    expect(await jobs.engine.store.queued()).toBe(0)
    expect((await jobs.upload("\n\n")).json.code).toBe("EMPTY_BATCH")
  })
})

describe("room for jobs", () => {
  it("is limited for all, and for each tenant", async () => {
    const all = withJobs({ queuedOperations: 10, workers: 0 })
    expect((await all.submit(creates(8))).status).toBe(202)
    const full = await all.submit(creates(3))
    expect([full.status, full.json.code]).toEqual([503, "OVERLOADED"])
    expect(Number(full.headers["retry-after"])).toBeGreaterThan(0)
    const each = withJobs({ perTenant: 1, workers: 0 })
    expect((await each.submit(creates(1))).status).toBe(202)
    const second = await each.submit(creates(1))
    expect([second.status, second.json.code]).toEqual([429, "RATE_LIMITED"])
  })
})
