import { describe, expect, it } from "vitest"
import { once } from "node:events"
import { connect } from "node:net"
import { setTimeout as delay } from "node:timers/promises"
import type { Answer, SubResponse, User } from "../batch/Api.ts"
import { codes, create, post, ways } from "./asking.ts"
import { everywhere, type Scenario, type Store, stores } from "./everywhere.ts"

const sleep = (key: string | undefined, ms: number) => ({
  action: "sleep",
  data: { ms },
  ...(key !== undefined && { idempotency_key: key }),
})

const problem = (answer: Answer) => answer.body as { readonly code: string; readonly status: number }

/** Scenarios that depend on the records of a store. */
const scenarios: Record<string, Scenario> = {
  "a retry of everything that has a key": async (api, key) => {
    for (const [name, way] of Object.entries(ways)) {
      const named = key(name.replaceAll(" ", "-"))
      const first = await way(api, named, "Alice")
      const second = await way(api, named, "Alice")
      expect([first.what, second.what, second.id]).toEqual(["created", "replayed", first.id])
      const isBatch = name.startsWith("a b")
      expect(second.answer.status).toBe(first.answer.status)
      expect(second.answer.headers["idempotency-replayed"]).toBe(isBatch ? "true" : undefined)
    }
    expect(await api.names()).toHaveLength(Object.keys(ways).length)
  },

  "a retry of a bulk creation gets the same body, to the byte": async (api, key) => {
    const ask = () =>
      api.ask("POST", "/api/v1/users/bulk-create", {
        body: { users: [{ name: "Alice" }, { name: "Bob", email: "bob@example.com" }] },
        headers: { "idempotency-key": key("a") },
      })
    const [first, second] = [await ask(), await ask()]
    expect([second.status, second.text]).toEqual([201, first.text])
    expect([first.headers["idempotency-replayed"], second.headers["idempotency-replayed"]]).toEqual([undefined, "true"])
  },

  "another payload, another client's guess, and then the honest retry": async (api, key) => {
    const body = (name: string) => ({ users: [{ name }] })
    const headers = { "idempotency-key": key("a") }
    const first = await api.ask("POST", "/api/v1/users/bulk-create", { body: body("Alice"), headers })
    for (const name of ["Mallory", "alice", "Alice "]) {
      const refused = await api.ask("POST", "/api/v1/users/bulk-create", { body: body(name), headers })
      expect([refused.status, problem(refused).code]).toEqual([422, "IDEMPOTENCY_KEY_REUSED"])
      expect(refused.headers["content-type"]).toBe("application/problem+json")
      expect(refused.text).not.toContain("Alice")
    }
    const again = await api.ask("POST", "/api/v1/users/bulk-create", { body: body("Alice"), headers })
    expect([again.status, again.text]).toEqual([201, first.text])
    expect(await api.names()).toEqual(["Alice"])
  },

  "the key of a sub-request reaches its route, that of the batch does not": async (api, key) => {
    const echo = (id: string, own?: string) => ({
      id,
      method: "GET",
      url: "/api/v1/echo",
      ...(own !== undefined && { headers: { "Idempotency-Key": own } }),
    })
    const responses = await api.requests([echo("a", key("own")), echo("b")], { "idempotency-key": key("outer") })
    const keys = responses.map(
      ({ body }) => (body as { readonly headers: Record<string, string> }).headers["idempotency-key"],
    )
    expect(keys).toEqual([key("own"), undefined])
  },

  "a replay carries what a client needs, and nothing of the first request": async (api, key) => {
    const ask = (trace: string) =>
      api.ask("POST", "/api/v1/batch", {
        body: { requests: [post("a", key("a"), "Alice")] },
        headers: { traceparent: trace, "x-request-id": trace, cookie: trace },
      })
    const [first, second] = [await ask("first-1"), await ask("second-2")]
    const { responses } = second.body as { readonly responses: ReadonlyArray<SubResponse> }
    expect(Object.keys(responses[0]!.headers!)).toEqual(["location"])
    expect(JSON.stringify([second.headers, second.text])).not.toContain("first-1")
    expect(codes(first)).toEqual(["ok"])
  },

  "failures that a handler answered, and those that may be tried again": async (api, key) => {
    await api.create({ name: "Taken", email: "taken@example.com" })
    const operations = [
      create(key("dup"), "Alice", { email: "taken@example.com" }),
      { action: "delete", id: `u_${"0".repeat(32)}`, idempotency_key: key("none") },
      { action: "boom", idempotency_key: key("boom") },
      create(key("invalid"), "", {}),
      { action: "nope", idempotency_key: key("nope") },
    ]
    const first = codes(await api.operations(operations))
    expect(first).toEqual(["DUPLICATE", "NOT_FOUND", "INTERNAL", "VALIDATION_ERROR", "UNKNOWN_ACTION"])
    // The address is free again, and who asks again under the same key is told the same.
    const [taken] = (await api.users()) as [User]
    await api.operations([{ action: "delete", id: taken.id }])
    expect(codes(await api.operations(operations))).toEqual(["=DUPLICATE", "=NOT_FOUND", ...first.slice(2)])
    // Keys of what did not begin are free for something better.
    const mended = [create(key("invalid"), "Bob"), create(key("nope"), "Carol"), create(key("boom"), "Dora")]
    expect(codes(await api.operations(mended))).toEqual(["ok", "ok", "ok"])
  },

  "a batch in which not everything is final replays the rest and tries that again": async (api, key) => {
    const batch = () =>
      api.operations(
        [create(undefined, "Alice"), { action: "boom" }, create(undefined, "Bob")],
        {},
        {
          "idempotency-key": key("a"),
        },
      )
    for (const expected of [
      ["ok", "INTERNAL", "ok"],
      ["=ok", "INTERNAL", "=ok"],
      ["=ok", "INTERNAL", "=ok"],
    ]) {
      const answer = await batch()
      expect([answer.status, codes(answer), answer.headers["idempotency-replayed"]]).toEqual([207, expected, undefined])
    }
    expect(await api.names()).toEqual(["Alice", "Bob"])
  },

  "an atomic batch that was rolled back runs again, and one that was not is replayed": async (api, key) => {
    const id = `u_${"0".repeat(32)}`
    const taken = await api.create({ name: "Taken", email: "taken@example.com" })
    const batch = () =>
      api.operations(
        [create(key("a"), "Alice"), create(undefined, "Bob", { email: "taken@example.com" })],
        { atomic: true },
        { "idempotency-key": key("b") },
      )
    for (let round = 0; round < 2; round++) {
      const answer = await batch()
      expect([answer.status, problem(answer).code]).toEqual([409, "DUPLICATE"])
    }
    await api.operations([{ action: "delete", id: taken.id }])
    expect(codes(await batch())).toEqual(["ok", "ok"])
    const again = await batch()
    expect([codes(again), again.headers["idempotency-replayed"]]).toEqual([["=ok", "=ok"], "true"])
    expect(await api.names()).toEqual(["Alice", "Bob"])
    // Done once is done, also for an atomic batch that fails.
    const failing = await api.operations([create(key("a"), "Alice"), { action: "delete", id }], { atomic: true })
    expect([failing.status, problem(failing).code]).toEqual([404, "NOT_FOUND"])
    expect(await api.names()).toEqual(["Alice", "Bob"])
  },

  "an atomicity group of sub-requests that was rolled back runs again as a whole": async (api, key) => {
    const taken = await api.create({ name: "Taken", email: "taken@example.com" })
    const batch = () =>
      api.ask("POST", "/api/v1/batch", {
        body: {
          requests: [
            post("a", key("a"), "Alice", { atomicityGroup: "g" }),
            { ...post("b", undefined, "Bob"), body: { name: "Bob", email: "taken@example.com" }, atomicityGroup: "g" },
            post("c", undefined, "Carol"),
          ],
        },
        headers: { "idempotency-key": key("b") },
      })
    expect(codes(await batch())).toEqual(["ROLLED_BACK", "DUPLICATE", "ok"])
    expect(codes(await batch())).toEqual(["ROLLED_BACK", "DUPLICATE", "=ok"])
    await api.ask("DELETE", `/api/v1/users/${taken.id}`)
    expect(codes(await batch())).toEqual(["ok", "ok", "=ok"])
    const again = await batch()
    expect([codes(again), again.headers["idempotency-replayed"]]).toEqual([["=ok", "=ok", "=ok"], "true"])
    expect([...(await api.names())].sort()).toEqual(["Alice", "Bob", "Carol"])
  },

  "the same key a thousand times in one batch": async (api, key) => {
    const batch = () => api.operations(Array.from({ length: 1000 }, () => create(key("a"), "Alice")))
    const [first, second] = [await batch(), await batch()]
    expect(codes(first)).toEqual(["ok", ...Array.from({ length: 999 }, () => "=ok")])
    expect(new Set(codes(second))).toEqual(new Set(["=ok"]))
    expect(new Set(first.body.results.map(({ id }) => id)).size).toBe(1)
    expect(await api.names()).toEqual(["Alice"])
  },

  "the same key a thousand times among sub-requests": async (api, key) => {
    const requests = Array.from({ length: 1000 }, (_, index) => post(`r${index}`, key("a"), "Alice"))
    const responses = await api.requests(requests)
    expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([201]))
    expect(new Set(responses.map(({ body }) => (body as User).id)).size).toBe(1)
    expect(await api.names()).toEqual(["Alice"])
  },

  "the same key for two payloads in one batch, in both orders, atomic too": async (api, key) => {
    const pairs = [
      ["Alice", "Bob"],
      ["Bob", "Alice"],
    ] as const
    for (const [index, [one, other]] of pairs.entries()) {
      const operations = [create(key(`${index}`), one), create(key(`${index}`), other), create(key(`${index}`), one)]
      expect(codes(await api.operations(operations))).toEqual(["ok", "IDEMPOTENCY_KEY_REUSED", "=ok"])
      const requests = operations.map(({ data }, at) => post(`r${at}`, key(`r${index}`), data.name))
      const answer = await api.ask("POST", "/api/v1/batch", { body: { requests } })
      expect(codes(answer)).toEqual(["ok", "IDEMPOTENCY_KEY_REUSED", "=ok"])
      const atomic = [create(key(`a${index}`), one), create(key(`a${index}`), other)]
      const refused = await api.operations(atomic, { atomic: true })
      expect([refused.status, refused.body]).toMatchObject([422, { code: "IDEMPOTENCY_KEY_REUSED", failed_index: 1 }])
    }
    expect(await api.names()).toEqual(["Alice", "Alice", "Bob", "Bob"])
  },

  "requests that depend on a repeated one, on a replay, and on one that is refused": async (api, key) => {
    const batch = () =>
      api.requests([
        post("a", key("a"), "Alice"),
        post("b", key("a"), "Alice"),
        { id: "c", method: "GET", url: "/api/v1/users/@{b.body.id}", dependsOn: ["b"] },
        post("d", key("a"), "Else"),
        { id: "e", method: "GET", url: "/api/v1/echo", dependsOn: ["d"] },
      ])
    const [first, second] = [await batch(), await batch()]
    for (const responses of [first, second]) {
      expect(responses.map(({ status }) => status)).toEqual([201, 201, 200, 422, 424])
      expect((responses[2]!.body as User).id).toBe((first[0]!.body as User).id)
    }
  },

  "results of every size": async (api, key) => {
    const sizes = [0, 60_000, 66_000, 200_000]
    const batch = () =>
      api.ask("POST", "/api/v1/users/bulk-create", {
        body: { users: sizes.map((size) => ({ name: "n", filler: "x".repeat(size) })) },
        headers: { "idempotency-key": key("a") },
      })
    const [first, second] = [await batch(), await batch()]
    const users = ({ body }: Answer) => (body as { readonly users: ReadonlyArray<User> }).users
    expect([second.status, second.headers["idempotency-replayed"]]).toEqual([201, "true"])
    expect(users(second).map(({ id }) => id)).toEqual(users(first).map(({ id }) => id))
    // Beyond 64 KiB it is remembered which one it was, not what it held.
    expect(users(second).map((user) => "filler" in user)).toEqual([true, true, false, false])
    expect(await api.names()).toHaveLength(sizes.length)
  },
}

/** Scenarios about headers, envelopes and refusals, which are the same for every store. */
const rules: Record<string, Scenario> = {
  "a retry of sub-requests says which were replayed, beside their status": async (api, key) => {
    const batch = () => api.requests([post("a", key("a"), "Alice"), post("b", undefined, "Bob")])
    const [first, second] = [await batch(), await batch()]
    expect(second[0]).toEqual({ ...first[0], replayed: true })
    expect(Object.keys(second[0]!)).toEqual(["id", "status", "replayed", "headers", "body"])
    expect(second[1]).not.toHaveProperty("replayed")
  },

  "headers by which a client claims that it was here before": async (api, key) => {
    const headers = {
      "idempotent-replayed": "true",
      "idempotency-replayed": "true",
      "idempotency-status": "not-recorded",
      "x-hit": "true",
      "idempotency-key": key("a"),
    }
    const answer = await api.operations([create(undefined, "Alice")], {}, headers)
    expect([answer.status, answer.headers["idempotency-replayed"], answer.headers["idempotency-status"]]).toEqual([
      200,
      undefined,
      undefined,
    ])
    expect(await api.names()).toEqual(["Alice"])
  },

  "batches that are refused for their shape leave their key free": async (api, key) => {
    const headers = { "idempotency-key": key("a") }
    const cycle = [
      { id: "a", method: "GET", url: "/health", dependsOn: ["b"], headers: { "Idempotency-Key": key("own") } },
      { id: "b", method: "GET", url: "/health", dependsOn: ["a"] },
    ]
    const refusals: ReadonlyArray<readonly [string, unknown, number]> = [
      ["/api/v1/users/batch", { operations: [] }, 400],
      ["/api/v1/users/batch", { operations: Array.from({ length: 1001 }, () => create(undefined, "x")) }, 413],
      ["/api/v1/users/batch", "{", 400],
      ["/api/v1/users/batch", `{"operations":${"[".repeat(100_000)}${"]".repeat(100_000)}}`, 400],
      ["/api/v1/users/batch", { operations: [create(undefined, "x")], stop_after: 0 }, 400],
      ["/api/v1/batch", { requests: cycle }, 400],
    ]
    for (const [path, body, status] of refusals) {
      expect((await api.ask("POST", path, { body, headers })).status).toBe(status)
    }
    expect((await ways["a batch of operations"]!(api, key("a"), "Alice")).what).toBe("created")
    expect((await ways["a batch of sub-requests"]!(api, key("a"), "Alice")).what).toBe("created")
    expect((await ways["a sub-request"]!(api, key("own"), "Alice")).what).toBe("created")
  },

  "a batch inside of a batch, with keys everywhere": async (api, key) => {
    const inner = { requests: [post("x", key("inner"), "Alice")] }
    const requests = [{ ...post("a", key("a"), "x"), url: "/api/v1/batch", body: inner }]
    for (let round = 0; round < 2; round++) {
      const [response] = await api.requests(requests, { "idempotency-key": key("outer") })
      expect(response).toMatchObject({ status: 400, body: { code: "NESTED_BATCH" } })
    }
    expect(await api.names()).toEqual([])
    expect((await ways["a sub-request"]!(api, key("inner"), "Alice")).what).toBe("created")
  },
}

const cases = (store: Store) => (store === "memory" ? { ...scenarios, ...rules } : scenarios)

/** How long things take is never quite the same. */
const timed: Record<string, Scenario> = {
  "a batch that is being executed": async (api, key) => {
    const headers = { "idempotency-key": key("a") }
    const slow = { operations: [sleep(undefined, 400), create(undefined, "Alice")] }
    const running = api.ask("POST", "/api/v1/users/batch", { body: slow, headers })
    await delay(150)
    const rival = await api.ask("POST", "/api/v1/users/batch", { body: slow, headers })
    expect([rival.status, problem(rival).code]).toEqual([409, "IDEMPOTENCY_IN_PROGRESS"])
    expect(Number(rival.headers["retry-after"])).toBeGreaterThanOrEqual(1)
    const other = { operations: [sleep(undefined, 1)] }
    expect((await api.ask("POST", "/api/v1/users/batch", { body: other, headers })).status).toBe(422)
    expect(codes(await running)).toEqual(["ok", "ok"])
    expect(
      (await api.ask("POST", "/api/v1/users/batch", { body: slow, headers })).headers["idempotency-replayed"],
    ).toBe("true")
    expect(await api.names()).toEqual(["Alice"])
  },

  "an operation that is being executed": async (api, key) => {
    const running = api.operations([sleep(key("a"), 400)])
    await delay(150)
    const rival = await api.operations([sleep(key("a"), 400), create(key("b"), "Bob")])
    expect([rival.status, codes(rival)]).toEqual([207, ["IDEMPOTENCY_IN_PROGRESS", "ok"]])
    expect(rival.body.results[0]!.error).toMatchObject({ retryable: true, retry_after: expect.any(Number) })
    expect(codes(await running)).toEqual(["ok"])
    expect(codes(await api.operations([sleep(key("a"), 400)]))).toEqual(["=ok"])
  },

  "retries at every moment of the first": async (api, key) => {
    const headers = { "idempotency-key": key("b") }
    const operations = [create(key("a"), "Alice"), sleep(key("s"), 200), create(undefined, "Bob")]
    const ask = () => api.operations(operations, {}, headers)
    const running = ask()
    // Some of them meet it while it is being settled.
    const retries: Array<Promise<Answer>> = []
    do retries.push(ask())
    while (await Promise.race([running.then(() => false), delay(5, true)]))
    expect(codes(await running)).toEqual(["ok", "ok", "ok"])
    for (const { status, headers: got } of await Promise.all(retries)) {
      expect([status, got["idempotency-replayed"]]).toEqual(status === 409 ? [409, undefined] : [200, "true"])
    }
    expect((await ask()).headers["idempotency-replayed"]).toBe("true")
    expect(await api.names()).toEqual(["Alice", "Bob"])
  },

  "a client that says no more after its request": async (api, key) => {
    const batch = { operations: [sleep(key("s"), 200), create(key("a"), "Alice")] }
    const body = JSON.stringify(batch)
    const { hostname, port } = new URL(api.origin)
    const socket = connect(Number(port), hostname)
    socket.on("error", () => undefined).resume()
    socket.end(
      `POST /api/v1/users/batch HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n` +
        `idempotency-key: ${key("b")}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    )
    await once(socket, "close")
    await delay(500)
    const again = await api.operations(batch.operations, {}, { "idempotency-key": key("b") })
    expect(again.status).toBe(200)
    expect(await api.names()).toEqual(["Alice"])
  },

  "a client that goes away in the midst of its batch": async (api, key) => {
    const batch = { operations: [sleep(key("s"), 300), create(key("a"), "Alice")] }
    const gone = new AbortController()
    const asked = fetch(`${api.origin}/api/v1/users/batch`, {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": key("b") },
      body: JSON.stringify(batch),
      signal: gone.signal,
    }).catch(() => undefined)
    await delay(100)
    gone.abort()
    await asked
    await delay(500)
    const again = await api.operations(batch.operations, {}, { "idempotency-key": key("b") })
    expect(again.status).toBe(200)
    expect(await api.names()).toEqual(["Alice"])
  },
}

/** What is remembered for one second. */
const forASecond: Scenario = async (api, key) => {
  const first = await ways["an operation"]!(api, key("a"), "Alice")
  const second = await ways["an operation"]!(api, key("a"), "Alice")
  expect([first.what, second.what]).toEqual(["created", "replayed"])
  await delay(1300)
  expect((await ways["an operation"]!(api, key("a"), "Alice")).what).toBe("created")
  expect(await api.names()).toEqual(["Alice", "Alice"])
}

describe.each(stores)("replays from %s", (store) => {
  const run = everywhere(store)
  it.each(Object.entries(cases(store)))("%s", (_, scenario) => run(scenario))
})

// An action that sleeps in a transaction keeps the only connection of SQLite busy; a cluster runs the scripts of Redis.
const timedStores = stores.filter((store) => store !== "sqlite" && store !== "redis-cluster")

describe.concurrent.each(timedStores)("time, with keys in %s", (store) => {
  const run = everywhere(store, { CONCURRENCY: "1" })
  it.each(Object.entries(timed))("%s", { concurrent: false }, (_, scenario) => run(scenario, "differently"))
})

describe("an operation that is being executed on the only connection of a database", () => {
  const run = everywhere("sqlite")
  it("is waited for, and then replayed", () =>
    run(async (api, key) => {
      const batch = () =>
        api.operations([sleep(key("a"), 400), create(key("b"), "Alice")], {}, { "idempotency-key": key("c") })
      const [first, second] = await Promise.all([batch(), delay(150).then(batch)])
      expect([codes(first), codes(second)]).toEqual([
        ["ok", "ok"],
        ["=ok", "=ok"],
      ])
      expect(await api.names()).toEqual(["Alice"])
    }))
})

// Each store's own suite asserts that its results expire; these two go by the clock of the process and of a server.
describe.concurrent.each(["memory", "redis"] as const)("a result in %s that is kept for a second", (store) => {
  const run = everywhere(store, { IDEMPOTENCY_TTL_S: "1" })
  it("is forgotten after it", { concurrent: false }, () => run(forASecond, "differently"))
})
