import { describe, expect, it } from "vitest"
import type { Api, Results, SubResponse } from "./Api.ts"
import { onBoth } from "./onBoth.ts"

const mebibyte = 2 ** 20
const bulkCreate = "/api/v1/users/bulk-create"
const operationsPath = "/api/v1/users/batch"
const create = (name: string, more: object = {}) => ({ action: "create", data: { name, ...more } })
const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth)

const refusal = async (api: Api, path: string, body: unknown) => {
  const { status, headers, body: problem } = await api.ask("POST", path, { body })
  expect(headers["content-type"]).toBe("application/problem+json")
  const { code, limit, actual } = problem as Readonly<Record<string, unknown>>
  return { status, code, limit, actual }
}

describe("the number of operations", () => {
  const both = onBoth({ MAX_OPERATIONS: "5", MAX_BODY_BYTES: String(mebibyte) })

  it("is limited, and counted exactly in bodies up to 256 KiB", () =>
    both(async (api) => {
      const lists = ["users/bulk-create", "users/bulk-update", "users/bulk-delete", "users/batch", "batch", "$batch"]
      for (const path of lists) {
        const name = path.includes("bulk") ? "users" : path.includes("users") ? "operations" : "requests"
        for (const count of [6, 7, 3000, 60_000]) {
          const body = { [name]: Array.from({ length: count }, () => 0) }
          const expected = { status: 413, code: "TOO_MANY_OPERATIONS", limit: 5, actual: count }
          expect(await refusal(api, `/api/v1/${path}`, body)).toEqual(expected)
        }
      }
      expect(await api.operations(Array.from({ length: 5 }, () => create("a")))).toMatchObject({ status: 200 })
      expect(await api.names()).toHaveLength(5)
    }))

  it("is counted up to where a larger body was read", () =>
    both(async (api) => {
      const filler = "x".repeat(300 * 1024)
      const bodies = [
        { users: Array.from({ length: 200_000 }, () => 0) },
        { users: [{ name: filler }, 1, 2, 3, 4, 5, 6, 7] },
        { users: [filler, 1, 2, 3, 4, 5, 6, 7] },
        { users: [{ name: '\\"],[{' + filler }, [1, [2]], { a: [1, 2] }, "],[", 4, 5, 6] },
      ]
      for (const body of bodies) {
        const { status, code, limit, actual } = await refusal(api, bulkCreate, body)
        expect({ status, code, limit }).toEqual({ status: 413, code: "TOO_MANY_OPERATIONS", limit: 5 })
        expect(actual).toBeGreaterThan(5)
        expect(actual).toBeLessThanOrEqual(body.users.length)
      }
      const users = ["a", "b", "c", "d", "e"].map((name) => ({
        name,
        filler: `${filler.slice(0, 60_000)}[1,2,3,4,5,6,7,8]`,
      }))
      const fits = { users: users.map((user) => ({ ...user, o: { list: [1, 2, 3, 4, 5, 6, 7] } })) }
      expect(await api.ask("POST", bulkCreate, { body: fits })).toMatchObject({ status: 201, body: { created: 5 } })
    }))

  it("is checked before everything else", () =>
    both(async (api) => {
      const requests = Array.from({ length: 6 }, () => ({ id: "twice", dependsOn: ["nobody"] }))
      expect(await refusal(api, "/api/v1/batch", { requests, atomic: 7 })).toMatchObject({
        code: "TOO_MANY_OPERATIONS",
      })
    }))
})

describe("the size of a body", () => {
  const both = onBoth({ MAX_BODY_BYTES: "2000" })
  const sized = (bytes: number, count = 1) => {
    const body = JSON.stringify({ users: Array.from({ length: count }, () => ({ name: "a", filler: "" })) })
    return body.replace('"filler":""', `"filler":"${"x".repeat(bytes - body.length)}"`)
  }

  it("is limited to the byte, and reported exactly when it is declared", () =>
    both(async (api) => {
      expect(await api.ask("POST", bulkCreate, { body: sized(2000) })).toMatchObject({ status: 201 })
      for (const bytes of [2001, 5000, 300_000]) {
        const expected = { status: 413, code: "PAYLOAD_TOO_LARGE", limit: 2000, actual: bytes }
        expect(await refusal(api, bulkCreate, sized(bytes))).toEqual(expected)
        expect(await refusal(api, "/api/v1/batch", sized(bytes))).toEqual(expected)
      }
      // Counted in bytes, not in characters.
      expect(await refusal(api, bulkCreate, sized(1999).replace("xx", "€€"))).toMatchObject({ actual: 2003 })
      expect(await api.names()).toEqual(["a"])
    }))

  it("is limited while it is read when it is not declared", () =>
    both(async (api) => {
      const chunked = { "transfer-encoding": "chunked", "content-length": [] }
      const { status, body } = await api.ask("POST", bulkCreate, { body: sized(2000), headers: chunked })
      expect({ status, body }).toMatchObject({ status: 201, body: { created: 1 } })
      const answer = await api.ask("POST", bulkCreate, { body: sized(2001), headers: chunked })
      expect(answer).toMatchObject({ status: 413, body: { code: "PAYLOAD_TOO_LARGE", limit: 2000, actual: 2001 } })
      expect(await api.names()).toEqual(["a"])
    }))
})

describe("large bodies", () => {
  const both = onBoth({ MAX_BODY_BYTES: String(64 * mebibyte) })

  it("with a million tiny items are counted, not parsed", () =>
    both(async (api) => {
      const body = `{"users":[${'{"a":1000},'.repeat(999_999)}{}]}`
      expect(body.length).toBeGreaterThan(10 * mebibyte)
      const begun = performance.now()
      const { status, code, limit, actual } = await refusal(api, bulkCreate, body)
      expect({ status, code, limit, actual }).toEqual({
        status: 413,
        code: "TOO_MANY_OPERATIONS",
        limit: 1000,
        actual: 1001,
      })
      expect(performance.now() - begun).toBeLessThan(2000)
    }))

  it("can be 64 levels deep and no deeper", () =>
    both(async (api) => {
      const levels = (depth: number, filler = "") =>
        `{"users":[{"name":"a","filler":"${filler}","x":${nested(depth - 3)}}]}`
      const large = "x".repeat(400_000)
      for (const filler of ["", large]) {
        expect(await api.ask("POST", bulkCreate, { body: levels(64, filler) })).toMatchObject({ status: 201 })
        const tooDeep = { status: 400, code: "TOO_DEEP", limit: 64, actual: undefined }
        expect(await refusal(api, bulkCreate, levels(65, filler))).toEqual(tooDeep)
        expect(await refusal(api, "/api/v1/batch", levels(65, filler).replace("users", "requests"))).toEqual(tooDeep)
        const inObjects = `{"operations":[],"filler":"${filler}","x":${'{"a":'.repeat(64)}1${"}".repeat(64)}}`
        expect(await refusal(api, operationsPath, inObjects.replace("[]", "[{}]"))).toEqual(tooDeep)
      }
      expect(await api.names()).toEqual(["a", "a"])
    }))

  it("100,000 levels deep are refused, and the server keeps working", () =>
    both(async (api) => {
      const deep = nested(100_000)
      for (const body of [
        deep,
        `{"users":[${deep}]}`,
        `{"users":[{"name":"a","x":${deep}}]}`,
        '{"a":'.repeat(100_000),
      ]) {
        const { status, code } = await refusal(api, bulkCreate, body)
        expect(status).toBe(400)
        expect(["TOO_DEEP", "MALFORMED_JSON", "INVALID_BATCH"]).toContain(code)
      }
      for (const body of [`{"users":[${nested(1_000_000)}]}`, "[".repeat(5_000_000)]) {
        expect(await refusal(api, bulkCreate, body)).toMatchObject({ status: 400, code: "TOO_DEEP" })
      }
      expect((await api.ask("GET", "/health")).status).toBe(200)
    }))

  it("lose only the operations that are too large", () =>
    both(async (api) => {
      const large = "x".repeat(mebibyte)
      const { status, body } = await api.operations([create("a"), create("b", { large }), create("c")])
      expect(status).toBe(207)
      expect(body).toMatchObject({ succeeded: 2, failed: 1 })
      expect(body.results[1]).toEqual({
        index: 1,
        status: "error",
        error: { code: "PAYLOAD_TOO_LARGE", message: expect.stringMatching(/1048576/) },
      })
      const bulk = await api.ask("POST", bulkCreate, { body: { users: [{ name: "d", large }, { name: "e" }] } })
      expect((bulk.body as Results).results.map((result) => result.error?.code)).toEqual([
        "PAYLOAD_TOO_LARGE",
        undefined,
      ])
      const post = (id: string, user: object) => ({ id, method: "POST", url: "/api/v1/users", body: user })
      const responses = await api.requests([post("f", { name: "f" }), post("g", { name: "g", large })])
      expect(responses.map((response) => response.status)).toEqual([201, 413])
      expect(responses[1]!.body).toMatchObject({ code: "PAYLOAD_TOO_LARGE", status: 413 })
      expect([...(await api.names())].sort()).toEqual(["a", "c", "e", "f"])
      const fits = create("h", { x: "x".repeat(mebibyte - JSON.stringify(create("h", { x: "" })).length) })
      expect(await api.operations([fits, create("i", { large })])).toMatchObject({ body: { succeeded: 1, failed: 1 } })
    }))
})

describe("time and concurrency", () => {
  const both = onBoth({ DEADLINE_MS: "800", CONCURRENCY: "2" })
  const sleep = (ms: number) => ({ action: "sleep", data: { ms } })

  const timed = async <A>(run: () => Promise<A>): Promise<readonly [A, number]> => {
    const begun = performance.now()
    return [await run(), performance.now() - begun]
  }

  it("limit the operations that run at once", () =>
    both(async (api) => {
      const [answer, ms] = await timed(() => api.operations(Array.from({ length: 8 }, () => sleep(100))))
      expect(answer.status).toBe(200)
      // One at a time, they would take as long as the deadline; more than two, less than this.
      expect(ms).toBeGreaterThan(390)
      const slow = ["a", "b", "c", "d"].map((id) => ({ id, method: "GET", url: "/api/v1/slow?ms=100" }))
      const [responses, more] = await timed(() => api.requests(slow))
      expect(responses.map(({ status }) => status)).toEqual([200, 200, 200, 200])
      expect(more).toBeGreaterThan(190)
    }))

  it("end unfinished operations at the deadline, and keep finished ones", () =>
    both(async (api) => {
      const { id } = await api.create({ name: "kept" })
      const endless = { ...sleep(60_000), id }
      const never = { action: "update", id, data: { name: "never" } }
      const operations = [sleep(100), endless, create("done"), sleep(60_000), never, { action: "nope" }]
      const [{ status, body }, ms] = await timed(() => api.operations(operations))
      expect(ms).toBeGreaterThan(790)
      expect(ms).toBeLessThan(2500)
      expect(status).toBe(207)
      expect(body.results.map((result) => [result.status, result.error?.code])).toEqual([
        ["success", undefined],
        ["error", "DEADLINE_EXCEEDED"],
        ["success", undefined],
        ["error", "DEADLINE_EXCEEDED"],
        ["skipped", "DEADLINE_EXCEEDED"],
        ["error", "UNKNOWN_ACTION"],
      ])
      expect(body).toMatchObject({ status: "partial", succeeded: 2, failed: 3, skipped: 1 })
      await new Promise((resolve) => setTimeout(resolve, 200))
      expect(await api.names()).toEqual(["kept", "done"])
    }))

  it("end sub-requests at the deadline too", () =>
    both(async (api) => {
      const slow = (id: string) => ({ id, method: "GET", url: "/api/v1/slow?ms=60000" })
      const post = { id: "never", method: "POST", url: "/api/v1/users", body: { name: "Nobody" } }
      const health = { id: "now", method: "GET", url: "/health" }
      const [responses, ms] = await timed(() => api.requests([health, slow("a"), slow("b"), post]))
      expect(ms).toBeLessThan(2500)
      expect(responses.map(({ status }) => status)).toEqual([200, 504, 504, 504])
      const codes = responses.slice(1).map(({ body }) => (body as { code: string }).code)
      expect(codes).toEqual(Array.from({ length: 3 }, () => "DEADLINE_EXCEEDED"))
      expect(responses.slice(1).some((response: SubResponse) => response.headers !== undefined)).toBe(false)
      expect(await api.names()).toEqual([])
    }))
})
