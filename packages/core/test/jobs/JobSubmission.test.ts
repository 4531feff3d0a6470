import { describe, expect, it } from "vitest"
import { memoryIdempotencyStore } from "../../src/idempotency/memoryIdempotencyStore.ts"
import { send, users } from "../support/endpoints.ts"
import { creates, withJobs } from "../support/jobs.ts"

describe("a batch with `Prefer: respond-async`", () => {
  it("is answered with the location of a job, which runs", async () => {
    const jobs = withJobs({ url: "https://api.test/jobs/" })
    const { status, headers, location, json } = await jobs.submit(creates(120))
    expect(status).toBe(202)
    expect(headers).toMatchObject({ "retry-after": "1", "preference-applied": "respond-async" })
    expect(location).toBe(`https://api.test/jobs/${json.id}`)
    expect(json).toEqual({ id: expect.stringMatching(/^[\w-]{22}$/), status: "queued", total: 120 })
    const job = await jobs.ended(location)
    expect(job).toMatchObject({
      id: json.id,
      status: "succeeded",
      total: 120,
      completed: 120,
      succeeded: 120,
      failed: 0,
    })
    expect(Date.parse(job.expires_at)).toBeGreaterThan(Date.parse(job.updated_at))
    expect(jobs.calls.inputs).toHaveLength(120)
  })

  it("runs at once on an endpoint without jobs", async () => {
    const { batch } = withJobs()
    const endpoint = batch.operations({ ...users }, { jobs: undefined, name: "plain" })
    const value = { operations: [{ action: "create", data: {} }] }
    const { status } = await send(endpoint, value, { raw: "a", headers: { prefer: "respond-async" } })
    expect(status).toBe(200)
  })

  it("is refused if its envelope is wrong, and nothing of it is kept", async () => {
    const jobs = withJobs()
    expect((await jobs.submit({ operations: [] })).json.code).toBe("EMPTY_BATCH")
    expect((await jobs.submit({ operations: "x" })).json.code).toBe("INVALID_BATCH")
    expect(await jobs.engine.store.queued()).toBe(0)
  })
})

it("a batch becomes a job above the threshold, and is checked against the limits of jobs", async () => {
  const jobs = withJobs({ above: 5, operations: 20 }, { limits: { operations: 10 } })
  const sendBatch = (count: number) => send(jobs.operations, creates(count), { raw: "a" })
  expect((await sendBatch(5)).status).toBe(200)
  expect((await sendBatch(6)).status).toBe(202)
  expect((await sendBatch(20)).status).toBe(202)
  expect((await sendBatch(21)).json).toMatchObject({ code: "TOO_MANY_OPERATIONS", limit: 20, actual: 21 })
})

describe("a batch with `Prefer: respond-async, wait=n`", () => {
  const prefer = "respond-async, wait=5"

  it("is answered with its results if it ends in time", async () => {
    const jobs = withJobs()
    const { status, json } = await jobs.submit(
      creates(3, (n) => ({ n: n - 1 })),
      { prefer },
    )
    expect(status).toBe(207)
    expect(json).toMatchObject({ status: "partial", succeeded: 2, failed: 1 })
    expect(json.results[0]).toEqual({ index: 0, status: "error", error: { code: "CONFLICT", message: "Negative" } })
  })

  it("is answered with its location if it does not", async () => {
    const { status } = await withJobs().submit(
      creates(1, () => ({ ms: 3000 })),
      { prefer: "respond-async, wait=1" },
    )
    expect(status).toBe(202)
  })

  it.each([
    { endpoint: "operations", value: creates(3, (n) => ({ n: n - 1 })) },
    { endpoint: "operations", value: creates(3) },
    { endpoint: "bulk", value: { things: [{ n: 1 }, { n: 2 }] } },
    { endpoint: "bulk", value: { things: [{ n: -1 }, { n: 2 }] } },
    { endpoint: "bulkDelete", value: { things: ["t_1", "t_2"] } },
  ] as const)("gets the same response from $endpoint as a batch that runs at once", async ({ endpoint, value }) => {
    const jobs = withJobs()
    for (const representation of ["", ", return=minimal", ", return=representation"]) {
      const given = { raw: "a", url: "/things/batch" }
      const atOnce = await send(jobs[endpoint], value, { ...given, headers: { prefer: `x${representation}` } })
      const waited = await jobs.submit(value, { prefer: `${prefer}${representation}` }, jobs[endpoint])
      const answerOf = ({ status, json }: typeof atOnce) => ({ status, json })
      expect(answerOf(waited)).toEqual(answerOf(atOnce))
    }
  })

  it("gets results up to the size limit of a response", async () => {
    const jobs = withJobs({}, { limits: { responseBytes: 150 } })
    const { status, json } = await jobs.submit(creates(10), { prefer })
    expect(status).toBe(207)
    expect(json).toMatchObject({ status: "success", succeeded: 10 })
    expect(json.results.at(-1)).toMatchObject({ index: 9, error: { code: "RESPONSE_TOO_LARGE" } })
  })
})

describe("a job with an idempotency key", () => {
  it("is made once", async () => {
    const jobs = withJobs()
    const headers = { "idempotency-key": "once" }
    const first = await jobs.submit(creates(3), headers)
    const second = await jobs.submit(creates(3), headers)
    expect(second).toMatchObject({ status: 202, json: { id: first.json.id } })
    expect(second.headers["idempotency-replayed"]).toBe("true")
    expect((await jobs.submit(creates(4), headers)).json.code).toBe("IDEMPOTENCY_KEY_REUSED")
    await jobs.ended(first.location)
    expect(jobs.calls.inputs).toHaveLength(3)
  })

  it("runs where keys are required, and a job without a key is refused there", async () => {
    const jobs = withJobs({}, { idempotency: { store: memoryIdempotencyStore(), required: true } })
    expect((await jobs.submit(creates(1))).json.code).toBe("IDEMPOTENCY_KEY_REQUIRED")
    expect((await jobs.upload("{}\n")).json.code).toBe("IDEMPOTENCY_KEY_REQUIRED")
    const { status, location } = await jobs.submit(creates(2), { "idempotency-key": "k" })
    expect(status).toBe(202)
    expect(await jobs.ended(location)).toMatchObject({ status: "succeeded", succeeded: 2 })
  })

  it("does not run an operation whose own key was used in a batch that ran at once", async () => {
    const jobs = withJobs({}, { idempotency: { store: memoryIdempotencyStore() } })
    const value = { operations: [{ action: "create", data: { n: 1 }, idempotency_key: "op" }] }
    await send(jobs.operations, value, { raw: "a", url: "/things/batch" })
    const { location } = await jobs.submit(value)
    await jobs.ended(location)
    expect(await jobs.results(location)).toEqual([{ index: 0, status: "success", id: "t_1", replayed: true }])
    expect(jobs.calls.inputs).toHaveLength(1)
  })
})

describe("an upload of NDJSON", () => {
  const create = (n: number, text = "") => JSON.stringify({ action: "create", data: { n, text } })

  it("becomes a job with one operation for each line, and a line that is not an operation fails alone", async () => {
    const jobs = withJobs({ chunkOperations: 2 }, { limits: { operationBytes: 200 } })
    const bytes = (text: string) => new TextEncoder().encode(`${text}\n`)
    const lines = [
      bytes(create(1)),
      bytes("{"),
      bytes(create(3, "x".repeat(300))),
      Uint8Array.of(0x22, 0xff, 0x22, 0x0a),
      bytes("[]"),
      bytes(create(6)),
    ]
    const { status, location, json } = await jobs.upload(Uint8Array.from(lines.flatMap((line) => [...line])))
    expect({ status, total: json.total }).toEqual({ status: 202, total: 6 })
    expect(await jobs.ended(location)).toMatchObject({ succeeded: 2, failed: 4 })
    const results = await jobs.results(location)
    expect(results.map(({ error }) => error?.code)).toEqual([
      undefined,
      "VALIDATION_ERROR",
      "PAYLOAD_TOO_LARGE",
      "VALIDATION_ERROR",
      "VALIDATION_ERROR",
      undefined,
    ])
    expect(results[1]!.error!.message).toContain("Line 2 is not JSON")
    expect(results[2]!.error!.message).toContain("Line 3 has")
    expect(results[3]!.error!.message).toContain("Line 4 is not UTF-8")
    expect(jobs.calls.inputs).toEqual([
      { n: 1, text: "" },
      { n: 6, text: "" },
    ])
  })

  it("cannot contain a line that is read as a fault", async () => {
    const jobs = withJobs()
    const lines = ["!413 5", "!400 x", `!{"code":"CONFLICT","message":"m"}`, `!!{"code":"CONFLICT","message":"m"}`]
    const { location } = await jobs.upload(lines.join("\n"))
    expect(await jobs.ended(location)).toMatchObject({ status: "failed", failed: 4 })
    const results = await jobs.results(location)
    for (const [index, { error }] of results.entries()) {
      expect(error).toMatchObject({
        code: "VALIDATION_ERROR",
        message: expect.stringContaining(`Line ${index + 1} is not JSON`),
      })
    }
    // The message quotes the line as it was sent.
    expect(results[0]!.error!.message).toContain(`"!413 5"`)
  })

  it("is refused beyond the maximum number of operations, and nothing of it is kept", async () => {
    const jobs = withJobs({ uploadOperations: 5, chunkOperations: 2 })
    const { status, json, close } = await jobs.upload("{}\n".repeat(6))
    expect({ status, code: json.code, close }).toEqual({ status: 413, code: "TOO_MANY_OPERATIONS", close: true })
    expect(await jobs.engine.store.queued()).toBe(0)
    expect((await jobs.upload("\n\n")).json.code).toBe("EMPTY_BATCH")
  })
})

it("limits unfinished operations, and the unfinished jobs of a tenant", async () => {
  const operations = withJobs({ queuedOperations: 10, workers: 0 })
  expect((await operations.submit(creates(8))).status).toBe(202)
  const full = await operations.submit(creates(3))
  expect(full).toMatchObject({ status: 503, json: { code: "OVERLOADED" } })
  expect(Number(full.headers["retry-after"])).toBeGreaterThan(0)
  const tenants = withJobs({ perTenant: 1, workers: 0 })
  expect((await tenants.submit(creates(1))).status).toBe(202)
  expect(await tenants.submit(creates(1))).toMatchObject({ status: 429, json: { code: "RATE_LIMITED" } })
})

it("answers 202 to a request that waits when the server closes", async () => {
  const jobs = withJobs({ workers: 0 })
  const answer = jobs.submit(creates(1), { prefer: "respond-async, wait=300" })
  await expect.poll(() => jobs.engine.store.queued()).toBe(1)
  await jobs.batch.close()
  expect((await answer).status).toBe(202)
})
