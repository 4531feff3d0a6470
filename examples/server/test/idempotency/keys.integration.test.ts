import { describe, expect, it } from "vitest"
import { codes, create, post, ways } from "./asking.ts"
import { everywhere, type Scenario, stores } from "./everywhere.ts"

/** Tenants and keys whose concatenations are the same text. */
const seams = [
  ["a", "b:c"],
  ["a:b", "c"],
  ["a:", "b:c"],
  ["a/b", "c"],
  ["a", "b/c"],
  [`a","users"`.replaceAll(",", ";"), "c"],
  ["a|b", "c"],
  ["a%00b", "c"],
  ["null", "c"],
  ["undefined", "c"],
  ["__proto__", "c"],
] as const

const hostile = [
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "{tag}a",
  "{tag}b",
  "{}",
  "*",
  "?",
  "[a-z]*",
  "';drop/**/table/**/users--",
  `";return/**/redis.call('FLUSHALL')--`,
  "%s%n",
  "\\",
  "\\u0000",
  "../../x",
  "%c0%80",
  "%00",
  "$(id)",
  "a:b:c",
  "x".repeat(255),
  "~!@#$%^&*()_+-=[]{}|;':\"<>./?",
]

const noKeys: Readonly<Record<string, unknown>> = {
  empty: "",
  "a space": " ",
  "with a space in it": "a b",
  "of 256 characters": "x".repeat(256),
  "of a megabyte": "x".repeat(900_000),
  "with CR and LF": "a\r\nx: y",
  "with NUL": "a\0",
  "an emoji": "😀",
  "a lone surrogate": "\ud800",
  composed: "\u00e9",
  decomposed: "e\u0301",
  "a number": 1,
  "a boolean": true,
  "an array": ["a"],
  "an object": { a: 1 },
}

const noHeaders: Readonly<Record<string, string | ReadonlyArray<string>>> = {
  empty: "",
  spaces: "  ",
  "of 256 characters": "x".repeat(256),
  "with a space in it": "a b",
  "an empty string": `""`,
  "a string that does not end": `"abc`,
  "a list": "a, b",
  "two headers": ["a", "b"],
  "the same header twice": ["a", "a"],
  "two strings": [`"a"`, `"b"`],
  "bytes beyond ASCII": "\u00e9",
}

/** Scenarios that depend on the records of a store. */
const scenarios: Record<string, Scenario> = {
  "another user of the same tenant gets the stored answer, and nothing else of the first request": async (api, key) => {
    for (const [name, way] of Object.entries(ways)) {
      const [first, second] = ["ann", "ben"].map((user) => ({
        "x-api-key": "shared",
        authorization: `Bearer ${user}`,
        cookie: `session=${user}`,
        traceparent: `00-${"0".repeat(31)}${user === "ann" ? 1 : 2}-0000000000000001-01`,
      }))
      const one = await way(api, key(name.replaceAll(" ", "-")), name, first)
      const two = await way(api, key(name.replaceAll(" ", "-")), name, second)
      expect({ oneOutcome: one.result, twoOutcome: two.result, id: two.id }).toEqual({
        oneOutcome: "created",
        twoOutcome: "replayed",
        id: one.id,
      })
      expect(JSON.stringify([two.answer.headers, two.answer.body])).not.toContain("ann")
    }
  },

  "another tenant with the same key and body gets its own answer": async (api, key) => {
    for (const [name, way] of Object.entries(ways)) {
      const [mine, yours, again] = [
        await way(api, key(name.replaceAll(" ", "-")), "Alice", { "x-api-key": "mine" }),
        await way(api, key(name.replaceAll(" ", "-")), "Alice", { "x-api-key": "yours" }),
        await way(api, key(name.replaceAll(" ", "-")), "Alice", { "x-api-key": "mine" }),
      ]
      expect({ mineOutcome: mine.result, yoursOutcome: yours.result, againOutcome: again.result }).toEqual({
        mineOutcome: "created",
        yoursOutcome: "created",
        againOutcome: "replayed",
      })
      expect(again.id).toBe(mine.id)
      expect(yours.id).not.toBe(mine.id)
    }
  },

  "a key of another tenant is answered like an unknown one": async (api, key) => {
    await ways["an operation"]!(api, key("a"), "Alice", { "x-api-key": "mine" })
    const foreign = await ways["an operation"]!(api, key("a"), "Alice", { "x-api-key": "yours" })
    const unknown = await ways["an operation"]!(api, key("b"), "Alice", { "x-api-key": "yours" })
    const shape = ({ answer }: typeof foreign) => answer.text.replaceAll(/u_\w+/g, "u")
    expect(shape(foreign)).toBe(shape(unknown))
  },

  "tenants and keys that join to the same text are kept apart": async (api) => {
    const mark = `s${Math.random()}`
    const headers = seams.map(([tenant, key]) => [{ "x-api-key": tenant }, `${key}${mark}`] as const)
    for (const [tenant, key] of headers) {
      expect((await ways["an operation"]!(api, key, "Alice", tenant)).result).toBe("created")
    }
    expect(await api.names()).toHaveLength(seams.length)
  },

  "keys with metacharacters of stores, shells and prototypes are ordinary keys": async (api, key) => {
    const mark = key("").slice(0, -1)
    const all = hostile.map((each) => (each.length === 255 ? each : `${each}${mark}`))
    const batch = () => api.operations(all.map((each) => create(each, "Alice")))
    expect(codes(await batch())).toEqual(all.map((each) => (each.length === 255 ? expect.any(String) : "ok")))
    expect(codes(await batch())).toEqual(all.map(() => "replayed"))
    for (const each of all.filter((text) => text.length < 255 && !text.includes(`"`))) {
      const quoted = `"${each.replaceAll("\\", "\\\\")}"`
      const bare = each.includes(",") ? quoted : each
      expect((await ways["a batch of operations"]!(api, bare, "Bob")).result).toBe("created")
      expect((await ways["a batch of operations"]!(api, quoted, "Bob")).result).toBe("replayed")
    }
  },

  "keys of batches, operations and endpoints are separate": async (api, key) => {
    const same = key("same")
    const both = () =>
      api.operations([create(same, "Alice"), create(undefined, "Bob")], {}, { "idempotency-key": same })
    expect(codes(await both())).toEqual(["ok", "ok"])
    expect((await both()).headers["idempotency-replayed"]).toBe("true")
    expect(await api.names()).toEqual(["Alice", "Bob"])
    expect((await ways["a bulk creation"]!(api, same, "Alice")).result).toBe("created")
    expect((await ways["a sub-request"]!(api, same, "Alice")).result).toBe("created")
    expect((await ways["a batch of sub-requests"]!(api, same, "Alice")).result).toBe("created")
  },

  "a new batch replays the operations that it shares with another": async (api, key) => {
    const batch = (outer: string) => api.operations([create(key("own"), "Alice")], {}, { "idempotency-key": outer })
    expect(codes(await batch(key("one")))).toEqual(["ok"])
    // The batch is new, its operation is not.
    const other = await batch(key("two"))
    expect({ codes: codes(other), replayed: other.headers["idempotency-replayed"] }).toEqual({
      codes: ["replayed"],
      replayed: undefined,
    })
    expect((await batch(key("two"))).headers["idempotency-replayed"]).toBe("true")
    expect(await api.names()).toEqual(["Alice"])
  },

  "a key that was used for something else is refused": async (api, key) => {
    const created = await ways["an operation"]!(api, key("a"), "Alice")
    const id = created.id!
    const others = [
      create(key("a"), "Alicia"),
      create(key("a"), "Alice", { age: 1 }),
      { ...create(key("a"), "Alice"), action: "update", id },
      { ...create(key("a"), "Alice"), id: "u_1" },
      { action: "delete", id, idempotency_key: key("a") },
    ]
    for (const other of others) expect(codes(await api.operations([other]))).toEqual(["IDEMPOTENCY_KEY_REUSED"])
    const requests = [
      post("r", key("b"), "Alice"),
      { ...post("r", key("b"), "Alice"), url: "/api/v1/users?x=1" },
      { ...post("r", key("b"), "Alice"), method: "PATCH", url: `/api/v1/users/${id}` },
      { ...post("r", key("b"), "Alice"), method: "DELETE", url: `/api/v1/users/${id}`, body: undefined },
    ]
    const statuses: Array<number> = []
    for (const request of requests) for (const { status } of await api.requests([request])) statuses.push(status)
    expect(statuses).toEqual([201, 422, 422, 422])
    // What was refused has changed nothing.
    expect((await ways["an operation"]!(api, key("a"), "Alice")).id).toBe(id)
    expect(await api.names()).toEqual(["Alice", "Alice"])
  },
}

/** Scenarios that are decided before a store is asked: which keys are valid, and which payloads are the same. */
const rules: Record<string, Scenario> = {
  "a batch of too many operations, or of none, takes no keys": async (api, key) => {
    const operations = Array.from({ length: 1001 }, (_, n) => create(key(`many-${n}`), `Many ${n}`))
    const header = { "idempotency-key": key("batch") }
    expect((await api.operations(operations, {}, header)).status).toBe(413)
    expect((await api.operations([], {}, header)).body).toMatchObject({ code: "EMPTY_BATCH" })
    expect(codes(await api.operations(operations.slice(0, 2), {}, header))).toEqual(["ok", "ok"])
    expect(codes(await api.operations(operations.slice(0, 2)))).toEqual(["replayed", "replayed"])
    expect(await api.names()).toEqual(["Many 0", "Many 1"])
  },

  "a body that is too large, or cannot be read, takes no keys": async (api, key) => {
    const header = { "idempotency-key": key("batch") }
    const large = await api.operations([create(key("large"), "Large", { bio: "x".repeat(11 * 2 ** 20) })], {}, header)
    expect(large.status).toBe(413)
    const encoded = { ...header, "content-encoding": "gzip" }
    expect((await api.ask("POST", "/api/v1/users/batch", { body: "{", headers: encoded })).status).toBe(415)
    expect((await api.ask("POST", "/api/v1/users/batch", { body: "{", headers: header })).status).toBe(400)
    expect(codes(await api.operations([create(key("large"), "Small")], {}, header))).toEqual(["ok"])
    expect(await api.names()).toEqual(["Small"])
  },

  "an invalid key refuses its operation alone": async (api, key) => {
    const all = Object.values(noKeys).map((each) => create(each, "Alice"))
    const answer = await api.operations([...all, create(key("a"), "Bob")])
    expect(codes(answer)).toEqual([...all.map(() => "INVALID_IDEMPOTENCY_KEY"), "ok"])
    expect(answer.text.length).toBeLessThan(10_000)
    expect(await api.names()).toEqual(["Bob"])
    const requests = Object.entries(noKeys).map(([name, each], index) => post(`${name}${index}`, each, "Alice"))
    const responses = await api.requests([...requests, post("good", key("b"), "Carol")])
    // A key of a megabyte is more than the headers of one sub-request may have.
    const expected = Object.keys(noKeys).map((name) => (name === "of a megabyte" ? 431 : 400))
    expect(responses.map(({ status }) => status)).toEqual([...expected, 201])
    expect(await api.names()).toEqual(["Bob", "Carol"])
  },

  "an invalid key in the header refuses the batch": async (api, key) => {
    for (const [name, header] of Object.entries(noHeaders)) {
      const body = { operations: [create(undefined, "Alice")] }
      const headers = { "idempotency-key": header }
      const { status, body: problem } = await api.ask("POST", "/api/v1/users/batch", { body, headers })
      expect({ name, status, code: (problem as { readonly code: string }).code }).toEqual({
        name,
        status: 400,
        code: "INVALID_IDEMPOTENCY_KEY",
      })
    }
    expect(await api.names()).toEqual([])
    expect((await ways["a batch of operations"]!(api, key("a"), "Alice")).result).toBe("created")
  },

  "a blocked caller does not see what it created before": async (api, key) => {
    await ways["an operation"]!(api, key("a"), "Alice")
    for (const way of Object.values(ways)) {
      const { answer, result } = await way(api, key("a"), "Alice", { "x-api-key": "blocked" })
      expect({ status: answer.status, result }).toEqual({ status: 401, result: "UNAUTHORIZED" })
      expect(answer.text).not.toContain("Alice")
    }
  },

  "a key in quotes is the same as without quotes": async (api, key) => {
    const bare = await ways["a batch of operations"]!(api, key("a"), "Alice")
    const quoted = await ways["a batch of operations"]!(api, `"${key("a")}"`, "Alice")
    expect({ bareOutcome: bare.result, quotedOutcome: quoted.result, id: quoted.id }).toEqual({
      bareOutcome: "created",
      quotedOutcome: "replayed",
      id: bare.id,
    })
  },

  "the same operation in another spelling is replayed": async (api, key) => {
    const body = (data: string) => `{"operations":[{"action":"create","idempotency_key":"${key("a")}","data":${data}}]}`
    const spellings = [
      `{"name":"Alice","age":1,"tags":[{"a":1,"b":2}]}`,
      `{ "tags" : [ {"b":2, "a":1} ],\n "age":1.0, "name":"\\u0041lice" }`,
      `{"age":1e0,"name":"Bob","name":"Alice","tags":[{"a":10e-1,"b":2}]}`,
    ]
    const seen: Array<string> = []
    for (const data of spellings)
      seen.push(...codes(await api.ask("POST", "/api/v1/users/batch", { body: body(data) })))
    expect(seen).toEqual(["ok", "replayed", "replayed"])
    const others = [
      `{"name":"Alice","age":"1","tags":[{"a":1,"b":2}]}`,
      `{"name":"Alice","age":1,"tags":{"a":1,"b":2}}`,
      `{"name":"Alice","age":1,"tags":[{"a":1,"b":2}],"x":null}`,
    ]
    for (const data of others) {
      expect(codes(await api.ask("POST", "/api/v1/users/batch", { body: body(data) }))).toEqual([
        "IDEMPOTENCY_KEY_REUSED",
      ])
    }
  },

  "payloads that join to the same text are different": async (api, key) => {
    const pairs = [
      [{ data: { name: "ab", tag: "c" } }, { data: { name: "a", tag: "bc" } }],
      [{ data: { name: "a", x: ["b", "c"] } }, { data: { name: "a", x: ["b,c"] } }],
      [{ data: { name: "a", x: { y: "z" } } }, { data: { name: "a", x: '{"y":"z"}' } }],
      [{ data: { name: 'a","tag":"b' } }, { data: { name: "a", tag: "b" } }],
    ] as const
    for (const [index, pair] of pairs.entries()) {
      const operations = pair.map(({ data }) => create(key(`${index}`), data.name, data))
      expect(codes(await api.operations(operations))).toEqual(["ok", "IDEMPOTENCY_KEY_REUSED"])
      const batches = pair.map(({ data }) => [create(undefined, data.name, data)])
      const statuses: Array<number> = []
      for (const batch of batches) {
        statuses.push((await api.operations(batch, {}, { "idempotency-key": key(`b${index}`) })).status)
      }
      expect(statuses).toEqual([200, 422])
    }
    // A batch of two is not one of one, nor one in another order.
    const [a, b] = [create(undefined, "a"), create(undefined, "b")]
    const statuses: Array<number> = []
    for (const batch of [[a, b], [b, a], [a], [a, b]]) {
      statuses.push((await api.operations(batch, {}, { "idempotency-key": key("order") })).status)
    }
    expect(statuses).toEqual([200, 422, 422, 200])
  },

  "payloads that parsers disagree on are replayed": async (api, key) => {
    const odd = [
      `1e400`,
      `-0`,
      `9007199254740993`,
      `"\\ud800"`,
      `{"__proto__":{"a":1}}`,
      `{"constructor":{"prototype":{}}}`,
    ]
    for (const [index, value] of odd.entries()) {
      const operation = `{"action":"create","idempotency_key":"${key(`o${index}`)}","data":{"name":"n","x":${value}}}`
      const ask = () => api.ask("POST", "/api/v1/users/batch", { body: `{"operations":[${operation}]}` })
      const [one, other] = [await ask(), await ask()]
      for (const { status } of [one, other]) expect([200, 207]).toContain(status)
      const [first] = codes(one)
      expect(codes(other)).toEqual([first === "ok" ? "replayed" : first])
    }
  },
}

describe.each(stores)("keys in %s", (store) => {
  const run = everywhere(store)
  const cases = store === "memory" ? { ...scenarios, ...rules } : scenarios
  it.each(Object.entries(cases))("%s", (_, scenario) => run(scenario, "differently"))
})
