import { describe, expect, it } from "vitest"
import type { Api, Asking } from "./Api.ts"
import { onBoth } from "./onBoth.ts"

const both = onBoth()
const differently = (scenario: (api: Api) => Promise<void>) => both(scenario, "differently")

const bulkCreate = "/api/v1/users/bulk-create"
const bulkUpdate = "/api/v1/users/bulk-update"
const bulkDelete = "/api/v1/users/bulk-delete"
const operations = "/api/v1/users/batch"
const requests = "/api/v1/batch"
const graph = "/api/v1/$batch"
const lists = [
  [bulkCreate, "users"],
  [bulkUpdate, "users"],
  [bulkDelete, "users"],
  [operations, "operations"],
  [requests, "requests"],
  [graph, "requests"],
] as const

const create = { action: "create", data: { name: "Nobody" } }
const post = { id: "a", method: "POST", url: "/api/v1/users", body: { name: "Nobody" } }
const get = { id: "b", method: "GET", url: "/api/v1/users" }

const refused = async (api: Api, path: string, asking: Asking, status: number, code: string, more: object = {}) => {
  const answer = await api.ask("POST", path, asking)
  expect(answer.body).toEqual({
    type: expect.stringMatching(/^urn:/),
    title: expect.stringMatching(/./),
    status,
    detail: expect.stringMatching(/./),
    code,
    ...more,
  })
  expect(answer.status).toBe(status)
  expect(answer.headers["content-type"]).toBe("application/problem+json")
}

describe("an envelope that is wrong is refused, and nothing runs", () => {
  it("whose list is missing, empty or no list", () =>
    both(async (api) => {
      for (const [path, name] of lists) {
        const pointer = `/${name}`
        for (const body of [{}, { Operations: [create] }, { [`${name} `]: [post] }, { data: { [name]: [create] } }]) {
          await refused(api, path, { body }, 400, "INVALID_BATCH", { pointer })
        }
        for (const list of [null, {}, "a", 7, true, { 0: create, length: 1 }]) {
          await refused(api, path, { body: { [name]: list } }, 400, "INVALID_BATCH", { pointer })
        }
        await refused(api, path, { body: { [name]: [] } }, 400, "EMPTY_BATCH", { pointer })
        for (const body of ["[]", "null", "7", '"text"', "true", `[{"${name}":[]}]`]) {
          await refused(api, path, { body }, 400, "INVALID_BATCH")
        }
        // A list that is inherited is not there.
        await refused(api, path, { body: `{"__proto__":{"${name}":[{}]}}` }, 400, "INVALID_BATCH", { pointer })
      }
    }))

  it("that is not JSON in UTF-8", () =>
    both(async (api) => {
      const texts = [
        "",
        " ",
        "{",
        "{}}",
        "{'users':[]}",
        "users=1",
        '{"users":[},]}',
        '{"users":[1,]}',
        "\u0000",
        "NaN",
      ]
      const bytes = [Buffer.from([0xff, 0xfe, 0x7b]), Buffer.from('{"users":["\xe9"]}', "latin1")]
      for (const body of [...texts, ...bytes]) await refused(api, bulkCreate, { body }, 400, "MALFORMED_JSON")
      for (const [path] of lists) await refused(api, path, { body: '{"a":' }, 400, "MALFORMED_JSON")
    }))

  it("with an unsupported content type or encoding", () =>
    both(async (api) => {
      const body = { users: [{ name: "Nobody" }] }
      const wrong = [
        { "content-type": "text/plain" },
        { "content-type": "application/x-www-form-urlencoded" },
        { "content-type": "multipart/form-data; boundary=x" },
        { "content-type": "application/jsonp" },
        { "content-type": "application/json; charset=latin1" },
        { "content-type": "application/json; charset=utf-16" },
        { "content-encoding": "gzip" },
        { "content-encoding": "br" },
        { "content-encoding": "x, identity" },
      ]
      for (const headers of wrong) await refused(api, bulkCreate, { body, headers }, 415, "UNSUPPORTED_MEDIA_TYPE")
      const text = JSON.stringify(body)
      for (const [path] of lists) {
        const headers = { "content-type": "text/plain" }
        await refused(api, path, { body: text, headers }, 415, "UNSUPPORTED_MEDIA_TYPE")
      }
      expect(await api.names()).toEqual([])
    }))

  it("with an invalid content type", () =>
    // Fastify refuses these itself, before any handler.
    differently(async (api) => {
      for (const type of ["", "json", "application", "application/", "/json", "application json"]) {
        const headers = { "content-type": type }
        const answer = await api.ask("POST", bulkCreate, { body: { users: [{ name: "Nobody" }] }, headers })
        expect(answer).toMatchObject({ status: 415, body: { code: "UNSUPPORTED_MEDIA_TYPE" } })
        expect(answer.headers["content-type"]).toBe("application/problem+json")
      }
      expect(await api.names()).toEqual([])
    }))

  it("accepts every way to say JSON in UTF-8", () =>
    both(async (api) => {
      const right = [
        { "content-type": "application/json; charset=utf-8" },
        { "content-type": 'APPLICATION/JSON;charset="UTF-8"' },
        { "content-type": "application/json ; odata.metadata=minimal" },
        { "content-type": "application/vnd.api+json" },
        { "content-encoding": "identity" },
      ]
      for (const headers of right) {
        expect(await api.ask("POST", bulkCreate, { body: { users: [{ name: "Zoë" }] }, headers })).toMatchObject({
          status: 201,
        })
      }
      expect(await api.names()).toEqual(right.map(() => "Zoë"))
    }))

  it("with ids of sub-requests that are missing, no text, empty, too long or used twice", () =>
    both(async (api) => {
      const { id: _, ...without } = post
      for (const path of [requests, graph]) {
        for (const id of [undefined, null, "", 7, true, {}, ["a"], "x".repeat(257)]) {
          const more = { pointer: "/requests/1/id" }
          await refused(api, path, { body: { requests: [get, { ...without, id }] } }, 400, "INVALID_BATCH", more)
        }
        const twice = { requests: [post, get, { ...post }] }
        await refused(api, path, { body: twice }, 400, "DUPLICATE_ID", { pointer: "/requests/2/id" })
        for (const item of [null, 7, "GET /", [], true]) {
          const more = { pointer: "/requests/1" }
          await refused(api, path, { body: { requests: [post, item] } }, 400, "INVALID_BATCH", more)
        }
      }
      expect(await api.names()).toEqual([])
    }))

  it("with dependencies that are no ids, unknown, on itself or in a cycle", () =>
    both(async (api) => {
      const pointer = "/requests/1/dependsOn"
      const wrong = ["a", {}, 7, true, [7], [null], [["a"]], [{}], [{ id: 7 }], ["zz"], ["b"], ["A"], ["__proto__"]]
      const accepts = ["409", 409, [99], [600], ["409"], [409.5], [null]].map((accept) => [{ id: "a", accept }])
      for (const dependsOn of [...wrong, ...accepts, [""], ["a", "zz"], ["constructor"]]) {
        const body = { requests: [post, { ...get, dependsOn }] }
        await refused(api, requests, { body }, 400, "INVALID_DEPENDENCY", { pointer })
      }
      const cycle = (...ids: ReadonlyArray<string>) => ({
        requests: ids.map((id, index) => ({ ...post, id, dependsOn: [ids[(index + 1) % ids.length]] })),
      })
      for (const body of [cycle("a", "b"), cycle("a", "b", "c"), cycle(..."abcdefghijklmnop")]) {
        await refused(api, requests, { body }, 400, "INVALID_DEPENDENCY")
      }
      const byReference = {
        requests: [
          { ...post, id: "a", body: { name: "@{b.body.name}" } },
          { ...post, id: "b", body: { name: "@{a.body.name}" } },
        ],
      }
      await refused(api, requests, { body: byReference }, 400, "INVALID_DEPENDENCY")
      expect(await api.names()).toEqual([])
    }))

  it("with a strategy that is invalid or not offered", () =>
    both(async (api) => {
      for (const stop_after of [0, -1, 1.5, "1", true, [], {}, 1e300]) {
        const body = { operations: [create], stop_after }
        await refused(api, operations, { body }, 400, "INVALID_BATCH", { pointer: "/stop_after" })
      }
      for (const atomic of [1, "true", [], {}]) {
        await refused(api, operations, { body: { operations: [create], atomic } }, 400, "INVALID_BATCH", {
          pointer: "/atomic",
        })
      }
      const both = { operations: [create], atomic: true, stop_after: 1 }
      await refused(api, operations, { body: both }, 400, "INVALID_BATCH", { pointer: "/stop_after" })
      for (const [path, name] of lists) {
        if (path === operations) continue
        const body = { [name]: [path === bulkDelete ? "u_1" : post], stop_after: 1 }
        await refused(api, path, { body }, 400, "STRATEGY_NOT_OFFERED")
      }
      expect(await api.names()).toEqual([])
    }))

  it("with a member that a JSON batch does not know", () =>
    both(async (api) => {
      const answer = await api.ask("POST", requests, { body: { requests: [post], Atomic: true } })
      expect(answer).toMatchObject({
        status: 400,
        body: {
          code: "UNKNOWN_MEMBER",
          pointer: "/Atomic",
          detail: `Unknown member "Atomic": did you mean "atomic"?`,
        },
      })
      expect(await api.names()).toEqual([])
    }))

  it("from a caller that the host refuses", () =>
    both(async (api) => {
      for (const [path, name] of lists) {
        const body = { [name]: [path === operations ? create : post] }
        for (const asking of [{ body }, { body: "{" }, { body: `{"a":${"[".repeat(100)}` }]) {
          const answer = await api.ask("POST", path, { ...asking, headers: { "x-api-key": "blocked" } })
          expect(answer).toMatchObject({ status: 401, body: { code: "UNAUTHORIZED" } })
        }
      }
      expect(await api.names()).toEqual([])
    }))

  it("with another method than POST", () =>
    both(async (api) => {
      for (const [path] of lists) {
        for (const method of ["GET", "PUT", "DELETE"]) {
          expect(await api.ask(method, path)).toMatchObject({ status: 404, body: { code: "NOT_FOUND" } })
        }
      }
    }))
})

describe("a body with surprises", () => {
  it("is read as JSON.parse reads it: the last of several equal members counts", () =>
    both(async (api) => {
      const body = `{"users":[{"name":"first"}],"users":[{"name":"a","name":"b"}]}`
      expect(await api.ask("POST", bulkCreate, { body })).toMatchObject({ status: 201, body: { created: 1 } })
      expect(await api.names()).toEqual(["b"])
    }))

  it("may begin with a byte order mark, as UTF-8 text may", () =>
    both(async (api) => {
      const body = '\uFEFF{"users":[{"name":"a"}]}'
      expect(await api.ask("POST", bulkCreate, { body })).toMatchObject({ status: 201 })
    }))

  it("may have white space and any order of members", () =>
    both(async (api) => {
      const body = ` \n\t{ "atomic" : false, "operations" : [ { "data": {"name":"a"}, "action" : "create" } ] } \r\n`
      expect(await api.ask("POST", operations, { body })).toMatchObject({ status: 200, body: { succeeded: 1 } })
    }))

  it("reaches no prototype in any operation", () =>
    both(async (api) => {
      const poison = [
        '{"name":"a","__proto__":{"polluted":1}}',
        '{"name":"a","x":{"__proto__":null}}',
        '{"name":"a","constructor":{"prototype":{"polluted":1}}}',
        '{"name":"a","list":[[{"__proto__":{"toString":1}}]]}',
      ]
      const good = '{"name":"good"}'
      const bulk = await api.ask("POST", bulkCreate, { body: `{"users":[${[...poison, good].join()}]}` })
      const mixed = await api.ask("POST", operations, {
        body: `{"operations":[${[...poison, good].map((data) => `{"action":"create","data":${data}}`).join()}]}`,
      })
      for (const { status, body } of [bulk, mixed]) {
        expect(status).toBe(207)
        expect(body).toMatchObject({ status: "partial", succeeded: 1, failed: 4 })
        const errors = (body as { results: ReadonlyArray<{ error?: { code: string } }> }).results.map(
          (r) => r.error?.code,
        )
        expect(errors).toEqual([...poison.map(() => "VALIDATION_ERROR"), undefined])
      }
      expect(await api.users()).toEqual([
        { id: expect.any(String), name: "good", email: null },
        { id: expect.any(String), name: "good", email: null },
      ])
      const poisoned = await api.ask("POST", operations, {
        body: `{"__proto__":{"atomic":true},"operations":[{"action":"create","data":${good}}]}`,
      })
      expect(poisoned).toMatchObject({ status: 400, body: { code: "UNKNOWN_MEMBER" } })
      const { text } = await api.ask("GET", "/api/v1/echo")
      expect(text).not.toContain("polluted")
    }))
})
