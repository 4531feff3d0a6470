import { describe, expect, it } from "vitest"
import { creates, memoryEngine, withJobs } from "../support/jobs.ts"

describe("GET /jobs/{id}/results", () => {
  it("returns pages in request order", async () => {
    const jobs = withJobs({ chunkOperations: 7, sliceOperations: 3 })
    const { location } = await jobs.submit(creates(60, (n) => ({ n: n % 10 === 0 ? -1 : n })))
    expect(await jobs.ended(location)).toMatchObject({ status: "partial", succeeded: 54, failed: 6 })
    const all = await jobs.results(location, "limit=13")
    expect(all.map(({ index }) => index)).toEqual(Array.from({ length: 60 }, (_, n) => n))
    const failed = await jobs.results(location, "status=failed&limit=4")
    expect(failed.map(({ index }) => index)).toEqual([0, 10, 20, 30, 40, 50])
  })

  it("returns NDJSON if the client accepts it", async () => {
    const jobs = withJobs({ chunkOperations: 7 })
    const { location } = await jobs.submit(creates(30))
    await jobs.ended(location)
    const { stream } = await jobs.ask("GET", `${location}/results`, { headers: { accept: "application/x-ndjson" } })
    let text = ""
    for await (const part of stream!) text += part
    const lines = text.trim().split("\n")
    expect(lines.map((line) => JSON.parse(line).index)).toEqual(Array.from({ length: 30 }, (_, n) => n))
  })

  it("can be read while the job runs, without gaps and repetitions", async () => {
    const jobs = withJobs({ chunkOperations: 5 })
    const { location } = await jobs.submit(creates(60, () => ({ ms: 4 })))
    const indexes: Array<number> = []
    let cursor = ""
    await expect
      .poll(
        async () => {
          const page = await jobs.page(location, `limit=9${cursor}`)
          indexes.push(...page.results.map(({ index }) => index))
          if (page.next_cursor !== undefined) cursor = `&cursor=${page.next_cursor}`
          return page.next_cursor
        },
        { timeout: 10_000, interval: 5 },
      )
      .toBeUndefined()
    expect(indexes).toEqual(Array.from({ length: 60 }, (_, n) => n))
  })

  it("includes what the actions returned only if the client asked for it", async () => {
    const jobs = withJobs()
    const plain = await jobs.submit(creates(1))
    await jobs.ended(plain.location)
    expect(await jobs.results(plain.location)).toEqual([{ index: 0, status: "success", id: "t_0" }])
    const full = await jobs.submit(creates(1), { prefer: "respond-async, return=representation" })
    await jobs.ended(full.location)
    expect(await jobs.results(full.location)).toEqual([
      { index: 0, status: "success", id: "t_0", data: { id: "t_0", n: 0 } },
    ])
  })

  it.each([
    { query: "status=none", name: '"status"' },
    { query: "limit=0", name: '"limit"' },
    { query: "limit=x", name: '"limit"' },
    { query: "cursor=nonsense", name: '"cursor"' },
  ])("refuses $query, and names the parameter", async ({ query, name }) => {
    const jobs = withJobs()
    const { location } = await jobs.submit(creates(1))
    const answer = await jobs.json("GET", `${location}/results?${query}`)
    expect(answer).toMatchObject({ status: 400, json: { code: "INVALID_REQUEST" } })
    expect(answer.json.detail).toContain(name)
  })
})

describe("GET /jobs/{id}", () => {
  it("answers 304 if the job has not changed", async () => {
    const jobs = withJobs()
    const { location } = await jobs.submit(creates(1))
    await jobs.ended(location)
    const { etag } = (await jobs.ask("GET", location)).headers
    const again = await jobs.ask("GET", location, { headers: { "if-none-match": etag! } })
    expect(again).toMatchObject({ status: 304, body: "" })
  })

  it("finds the tag among others", async () => {
    const jobs = withJobs()
    const { location } = await jobs.submit(creates(1))
    await jobs.ended(location)
    const { etag } = (await jobs.ask("GET", location)).headers
    const again = await jobs.ask("GET", location, { headers: { "if-none-match": `"a" ,\t${etag!} , "b"` } })
    expect(again.status).toBe(304)
  })

  it("reads a header of 100 kB in a time that grows with its length", async () => {
    const jobs = withJobs()
    const { location } = await jobs.submit(creates(1))
    await jobs.ended(location)
    const start = performance.now()
    const answer = await jobs.ask("GET", location, { headers: { "if-none-match": " ".repeat(100_000) + "x" } })
    expect(answer.status).toBe(200)
    expect(performance.now() - start).toBeLessThan(500)
  })
})

describe("GET /jobs/{id}/events", () => {
  it("streams `progress`, and `done` at the end", async () => {
    const jobs = withJobs({ chunkOperations: 5 })
    const { location } = await jobs.submit(creates(20, () => ({ ms: 100 })))
    const { status, headers, stream } = await jobs.ask("GET", `${location}/events`)
    expect({ status, type: headers["content-type"] }).toEqual({ status: 200, type: "text/event-stream" })
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
})

describe("clients that follow one job", () => {
  const read = async (stream: AsyncIterable<unknown> | undefined) => {
    let text = ""
    for await (const part of stream!) text += String(part)
    return text
  }

  it("share the reads of the store", async () => {
    const { store, queue } = memoryEngine()
    let reads = 0
    const find: typeof store.find = async (...args) => {
      reads++
      return store.find(...args)
    }
    const jobs = withJobs({ engine: { store: { ...store, find }, queue } })
    const { location } = await jobs.submit(creates(1, () => ({ ms: 600 })))
    const answers = await Promise.all(Array.from({ length: 100 }, () => jobs.ask("GET", `${location}/events`)))
    reads = 0
    const texts = await Promise.all(answers.map(({ stream }) => read(stream)))
    expect(texts.every((text) => text.includes("event: done"))).toBe(true)
    expect(reads).toBeLessThan(20)
  })

  it("are refused above the limit, until another one has ended", async () => {
    const jobs = withJobs({ followers: 1 })
    const { location } = await jobs.submit(creates(1, () => ({ ms: 300 })))
    const first = (await jobs.ask("GET", `${location}/events`)).stream![Symbol.asyncIterator]()
    await first.next()
    const second = await jobs.json("GET", `${location}/events`)
    expect(second).toMatchObject({ status: 503, json: { code: "OVERLOADED" } })
    expect(second.headers["retry-after"]).toBeDefined()
    await first.return?.()
    expect((await jobs.ask("GET", `${location}/events`)).status).toBe(200)
  })

  it("see the stream end when the server closes", async () => {
    const jobs = withJobs({ workers: 0 })
    const { location } = await jobs.submit(creates(1))
    const { stream } = await jobs.ask("GET", `${location}/events`)
    const text = read(stream)
    const start = performance.now()
    await jobs.batch.close()
    expect(await text).not.toContain("event: done")
    expect(performance.now() - start).toBeLessThan(2000)
  })
})

describe("DELETE /jobs/{id}", () => {
  it("keeps the results so far, and starts nothing more", async () => {
    const jobs = withJobs({ chunkOperations: 10, sliceOperations: 5, window: 1 }, { concurrency: 1 })
    const { location } = await jobs.submit(creates(100, () => ({ ms: 20 })))
    await expect.poll(() => jobs.calls.inputs.length, { timeout: 5000, interval: 5 }).toBeGreaterThan(12)
    const { status } = await jobs.json("DELETE", location)
    expect([202, 200]).toContain(status)
    const job = await jobs.ended(location)
    expect(job).toMatchObject({ status: "cancelled", completed: 100 })
    expect(job.succeeded).toBeLessThan(40)
    const results = await jobs.results(location)
    expect(results).toHaveLength(100)
    expect(results.at(-1)).toMatchObject({ index: 99, status: "skipped", error: { code: "CANCELLED" } })
    expect((await jobs.results(location, "status=failed")).map(({ index }) => index)).toEqual(
      results.flatMap(({ index, status }) => (status === "success" ? [] : [index])),
    )
    const started = jobs.calls.inputs.length
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(jobs.calls.inputs).toHaveLength(started)
  })

  it("ends a job that waits for its quota at once, and keeps the results so far", async () => {
    const jobs = withJobs({ sliceOperations: 10 }, { quota: { operations: 20, per: "1 day" } })
    const { location } = await jobs.submit(creates(50))
    await expect.poll(() => jobs.calls.inputs.length, { timeout: 5000, interval: 5 }).toBe(20)
    await new Promise((resolve) => setTimeout(resolve, 50))
    await jobs.json("DELETE", location)
    expect(await jobs.ended(location)).toMatchObject({ status: "cancelled", succeeded: 20, completed: 50 })
    const results = await jobs.results(location)
    expect(results.map(({ status }) => status)).toEqual(
      Array.from({ length: 50 }, (_, index) => (index < 20 ? "success" : "skipped")),
    )
  })

  it("aborts running operations", async () => {
    const jobs = withJobs()
    const { location } = await jobs.submit(creates(20, () => ({ ms: 60_000 })))
    await expect.poll(() => jobs.calls.inputs.length).toBeGreaterThan(0)
    await jobs.json("DELETE", location)
    expect(await jobs.ended(location)).toMatchObject({ status: "cancelled" })
  })
})

describe("the routes of jobs", () => {
  it.each([
    ["GET", ""],
    ["GET", "/results"],
    ["GET", "/events"],
    ["DELETE", ""],
  ] as const)("answer 404 to %s {id}%s of another tenant", async (method, path) => {
    const jobs = withJobs()
    const { location } = await jobs.submit(creates(1))
    const answer = await jobs.json(method, `${location}${path}`, { raw: "b" })
    expect(answer).toMatchObject({ status: 404, json: { code: "NOT_FOUND" } })
  })

  it("answer 404 if there is no such job", async () => {
    expect((await withJobs().json("GET", "/jobs/AAAAAAAAAAAAAAAAAAAAAA")).status).toBe(404)
  })

  it("answer 405 to other methods", async () => {
    const jobs = withJobs()
    const { location } = await jobs.submit(creates(1))
    const { status, headers } = await jobs.ask("POST", location)
    expect({ status, allow: headers["allow"] }).toEqual({ status: 405, allow: "GET, HEAD, DELETE" })
  })
})
