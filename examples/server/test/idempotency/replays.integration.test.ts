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
  "a retry of everything that has a key is replayed": async (api, key) => {
    for (const [name, way] of Object.entries(ways)) {
      const named = key(name.replaceAll(" ", "-"))
      const first = await way(api, named, "Alice")
      const second = await way(api, named, "Alice")
      expect({ firstOutcome: first.result, secondOutcome: second.result, id: second.id }).toEqual({
        firstOutcome: "created",
        secondOutcome: "replayed",
        id: first.id,
      })
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
    expect({ status: second.status, text: second.text }).toEqual({ status: 201, text: first.text })
    expect({
      firstReplayed: first.headers["idempotency-replayed"],
      secondReplayed: second.headers["idempotency-replayed"],
    }).toEqual({ firstReplayed: undefined, secondReplayed: "true" })
  },

  "another payload under the key is refused, and the retry is still replayed": async (api, key) => {
    const body = (name: string) => ({ users: [{ name }] })
    const headers = { "idempotency-key": key("a") }
    const first = await api.ask("POST", "/api/v1/users/bulk-create", { body: body("Alice"), headers })
    for (const name of ["Mallory", "alice", "Alice "]) {
      const refused = await api.ask("POST", "/api/v1/users/bulk-create", { body: body(name), headers })
      expect({ status: refused.status, code: problem(refused).code }).toEqual({
        status: 422,
        code: "IDEMPOTENCY_KEY_REUSED",
      })
      expect(refused.headers["content-type"]).toBe("application/problem+json")
      expect(refused.text).not.toContain("Alice")
    }
    const again = await api.ask("POST", "/api/v1/users/bulk-create", { body: body("Alice"), headers })
    expect({ status: again.status, text: again.text }).toEqual({ status: 201, text: first.text })
    expect(await api.names()).toEqual(["Alice"])
  },

  "the key of a sub-request reaches its route, the key of the batch does not": async (api, key) => {
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

  "a replay carries the headers of the retry, and none of the first request": async (api, key) => {
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

  "final failures are replayed, and retryable ones run again": async (api, key) => {
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
    // The address is free again, and a retry under the same key still gets the first result.
    const [taken] = (await api.users()) as [User]
    await api.operations([{ action: "delete", id: taken.id }])
    expect(codes(await api.operations(operations))).toEqual([
      "replayed DUPLICATE",
      "replayed NOT_FOUND",
      ...first.slice(2),
    ])
    // The keys of operations that did not begin are free for other payloads.
    const mended = [create(key("invalid"), "Bob"), create(key("nope"), "Carol"), create(key("boom"), "Dora")]
    expect(codes(await api.operations(mended))).toEqual(["ok", "ok", "ok"])
  },

  "a batch replays its final results and runs the others again": async (api, key) => {
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
      ["replayed", "INTERNAL", "replayed"],
      ["replayed", "INTERNAL", "replayed"],
    ]) {
      const answer = await batch()
      expect({ status: answer.status, codes: codes(answer), replayed: answer.headers["idempotency-replayed"] }).toEqual(
        { status: 207, codes: expected, replayed: undefined },
      )
    }
    expect(await api.names()).toEqual(["Alice", "Bob"])
  },

  "an atomic batch that was rolled back runs again, and a committed one is replayed": async (api, key) => {
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
      expect({ status: answer.status, code: problem(answer).code }).toEqual({ status: 409, code: "DUPLICATE" })
    }
    await api.operations([{ action: "delete", id: taken.id }])
    expect(codes(await batch())).toEqual(["ok", "ok"])
    const again = await batch()
    expect({ codes: codes(again), replayed: again.headers["idempotency-replayed"] }).toEqual({
      codes: ["replayed", "replayed"],
      replayed: "true",
    })
    expect(await api.names()).toEqual(["Alice", "Bob"])
    // A completed operation is not run again in an atomic batch that fails.
    const failing = await api.operations([create(key("a"), "Alice"), { action: "delete", id }], { atomic: true })
    expect({ status: failing.status, code: problem(failing).code }).toEqual({ status: 404, code: "NOT_FOUND" })
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
    expect(codes(await batch())).toEqual(["ROLLED_BACK", "DUPLICATE", "replayed"])
    await api.ask("DELETE", `/api/v1/users/${taken.id}`)
    expect(codes(await batch())).toEqual(["ok", "ok", "replayed"])
    const again = await batch()
    expect({ codes: codes(again), replayed: again.headers["idempotency-replayed"] }).toEqual({
      codes: ["replayed", "replayed", "replayed"],
      replayed: "true",
    })
    expect([...(await api.names())].sort()).toEqual(["Alice", "Bob", "Carol"])
  },

  "the same key a thousand times in one batch runs once": async (api, key) => {
    const batch = () => api.operations(Array.from({ length: 1000 }, () => create(key("a"), "Alice")))
    const [first, second] = [await batch(), await batch()]
    expect(codes(first)).toEqual(["ok", ...Array.from({ length: 999 }, () => "replayed")])
    expect(new Set(codes(second))).toEqual(new Set(["replayed"]))
    expect(new Set(first.body.results.map(({ id }) => id)).size).toBe(1)
    expect(await api.names()).toEqual(["Alice"])
  },

  "the same key a thousand times among sub-requests runs once": async (api, key) => {
    const requests = Array.from({ length: 1000 }, (_, index) => post(`r${index}`, key("a"), "Alice"))
    const responses = await api.requests(requests)
    expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([201]))
    expect(new Set(responses.map(({ body }) => (body as User).id)).size).toBe(1)
    expect(await api.names()).toEqual(["Alice"])
  },

  "the same key for two payloads in one batch is refused for the second": async (api, key) => {
    const pairs = [
      ["Alice", "Bob"],
      ["Bob", "Alice"],
    ] as const
    for (const [index, [one, other]] of pairs.entries()) {
      const operations = [create(key(`${index}`), one), create(key(`${index}`), other), create(key(`${index}`), one)]
      expect(codes(await api.operations(operations))).toEqual(["ok", "IDEMPOTENCY_KEY_REUSED", "replayed"])
      const requests = operations.map(({ data }, at) => post(`r${at}`, key(`r${index}`), data.name))
      const answer = await api.ask("POST", "/api/v1/batch", { body: { requests } })
      expect(codes(answer)).toEqual(["ok", "IDEMPOTENCY_KEY_REUSED", "replayed"])
      const atomic = [create(key(`a${index}`), one), create(key(`a${index}`), other)]
      const refused = await api.operations(atomic, { atomic: true })
      expect({ status: refused.status, body: refused.body }).toMatchObject({
        status: 422,
        body: { code: "IDEMPOTENCY_KEY_REUSED", failed_index: 1 },
      })
    }
    expect(await api.names()).toEqual(["Alice", "Alice", "Bob", "Bob"])
  },

  "sub-requests can depend on repeated and replayed ones, and are skipped after refused ones": async (api, key) => {
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

  "results above 64 KiB are replayed without their data": async (api, key) => {
    const sizes = [0, 60_000, 66_000, 200_000]
    const batch = () =>
      api.ask("POST", "/api/v1/users/bulk-create", {
        body: { users: sizes.map((size) => ({ name: "n", filler: "x".repeat(size) })) },
        headers: { "idempotency-key": key("a") },
      })
    const [first, second] = [await batch(), await batch()]
    const users = ({ body }: Answer) => (body as { readonly users: ReadonlyArray<User> }).users
    expect({ status: second.status, replayed: second.headers["idempotency-replayed"] }).toEqual({
      status: 201,
      replayed: "true",
    })
    expect(users(second).map(({ id }) => id)).toEqual(users(first).map(({ id }) => id))
    // Above 64 KiB the id is kept without the data.
    expect(users(second).map((user) => "filler" in user)).toEqual([true, true, false, false])
    expect(await api.names()).toHaveLength(sizes.length)
  },
}

/** Scenarios about headers, envelopes and refusals, which are the same for every store. */
const rules: Record<string, Scenario> = {
  "a retry of sub-requests marks the replayed ones": async (api, key) => {
    const batch = () => api.requests([post("a", key("a"), "Alice"), post("b", undefined, "Bob")])
    const [first, second] = [await batch(), await batch()]
    expect(second[0]).toEqual({ ...first[0], replayed: true })
    expect(Object.keys(second[0]!)).toEqual(["id", "status", "replayed", "headers", "body"])
    expect(second[1]).not.toHaveProperty("replayed")
  },

  "response headers in a request have no effect": async (api, key) => {
    const headers = {
      "idempotent-replayed": "true",
      "idempotency-replayed": "true",
      "idempotency-status": "not-recorded",
      "x-hit": "true",
      "idempotency-key": key("a"),
    }
    const answer = await api.operations([create(undefined, "Alice")], {}, headers)
    expect({
      status: answer.status,
      replayed: answer.headers["idempotency-replayed"],
      idempotencyStatus: answer.headers["idempotency-status"],
    }).toEqual({ status: 200, replayed: undefined, idempotencyStatus: undefined })
    expect(await api.names()).toEqual(["Alice"])
  },

  "batches that are refused for their shape do not take their key": async (api, key) => {
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
    expect((await ways["a batch of operations"]!(api, key("a"), "Alice")).result).toBe("created")
    expect((await ways["a batch of sub-requests"]!(api, key("a"), "Alice")).result).toBe("created")
    expect((await ways["a sub-request"]!(api, key("own"), "Alice")).result).toBe("created")
  },

  "a refused nested batch takes none of its keys": async (api, key) => {
    const inner = { requests: [post("x", key("inner"), "Alice")] }
    const requests = [{ ...post("a", key("a"), "x"), url: "/api/v1/batch", body: inner }]
    for (let round = 0; round < 2; round++) {
      const [response] = await api.requests(requests, { "idempotency-key": key("outer") })
      expect(response).toMatchObject({ status: 400, body: { code: "NESTED_BATCH" } })
    }
    expect(await api.names()).toEqual([])
    expect((await ways["a sub-request"]!(api, key("inner"), "Alice")).result).toBe("created")
  },
}

const cases = (store: Store) => (store === "memory" ? { ...scenarios, ...rules } : scenarios)

/** Scenarios whose answers depend on time. */
const timed: Record<string, Scenario> = {
  "a retry of a running batch is refused until it is done": async (api, key) => {
    const headers = { "idempotency-key": key("a") }
    const slow = { operations: [sleep(undefined, 400), create(undefined, "Alice")] }
    const running = api.ask("POST", "/api/v1/users/batch", { body: slow, headers })
    await delay(150)
    const rival = await api.ask("POST", "/api/v1/users/batch", { body: slow, headers })
    expect({ status: rival.status, code: problem(rival).code }).toEqual({
      status: 409,
      code: "IDEMPOTENCY_IN_PROGRESS",
    })
    expect(Number(rival.headers["retry-after"])).toBeGreaterThanOrEqual(1)
    const other = { operations: [sleep(undefined, 1)] }
    expect((await api.ask("POST", "/api/v1/users/batch", { body: other, headers })).status).toBe(422)
    expect(codes(await running)).toEqual(["ok", "ok"])
    expect(
      (await api.ask("POST", "/api/v1/users/batch", { body: slow, headers })).headers["idempotency-replayed"],
    ).toBe("true")
    expect(await api.names()).toEqual(["Alice"])
  },

  "a retry of a running operation is refused until it is done": async (api, key) => {
    const running = api.operations([sleep(key("a"), 400)])
    await delay(150)
    const rival = await api.operations([sleep(key("a"), 400), create(key("b"), "Bob")])
    expect({ status: rival.status, codes: codes(rival) }).toEqual({
      status: 207,
      codes: ["IDEMPOTENCY_IN_PROGRESS", "ok"],
    })
    expect(rival.body.results[0]!.error).toMatchObject({ retryable: true, retry_after: expect.any(Number) })
    expect(codes(await running)).toEqual(["ok"])
    expect(codes(await api.operations([sleep(key("a"), 400)]))).toEqual(["replayed"])
  },

  "retries at any moment are refused or replayed": async (api, key) => {
    const headers = { "idempotency-key": key("b") }
    const operations = [create(key("a"), "Alice"), sleep(key("s"), 200), create(undefined, "Bob")]
    const ask = () => api.operations(operations, {}, headers)
    const running = ask()
    // Some of them arrive while it is being settled.
    const retries: Array<Promise<Answer>> = []
    do retries.push(ask())
    while (await Promise.race([running.then(() => false), delay(5, true)]))
    expect(codes(await running)).toEqual(["ok", "ok", "ok"])
    for (const { status, headers: got } of await Promise.all(retries)) {
      const expected = status === 409 ? { status: 409, replayed: undefined } : { status: 200, replayed: "true" }
      expect({ status, replayed: got["idempotency-replayed"] }).toEqual(expected)
    }
    expect((await ask()).headers["idempotency-replayed"]).toBe("true")
    expect(await api.names()).toEqual(["Alice", "Bob"])
  },

  "a batch of a half-closed connection is done once": async (api, key) => {
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

  "a batch whose client disconnects is done once": async (api, key) => {
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

/** Results are kept for one second. */
const forASecond: Scenario = async (api, key) => {
  const first = await ways["an operation"]!(api, key("a"), "Alice")
  const second = await ways["an operation"]!(api, key("a"), "Alice")
  expect({ firstOutcome: first.result, secondOutcome: second.result }).toEqual({
    firstOutcome: "created",
    secondOutcome: "replayed",
  })
  await delay(1300)
  expect((await ways["an operation"]!(api, key("a"), "Alice")).result).toBe("created")
  expect(await api.names()).toEqual(["Alice", "Alice"])
}

describe.each(stores)("replays from %s", (store) => {
  const run = everywhere(store)
  it.each(Object.entries(cases(store)))("%s", (_, scenario) => run(scenario))
})

// An action that sleeps in a transaction keeps the only connection of SQLite busy; a cluster runs the scripts of Redis.
const timedStores = stores.filter((store) => store !== "sqlite" && store !== "redis-cluster")

describe.concurrent.each(timedStores)("retries that meet the first attempt, with keys in %s", (store) => {
  const run = everywhere(store, { CONCURRENCY: "1" })
  it.each(Object.entries(timed))("%s", { concurrent: false }, (_, scenario) => run(scenario, "differently"))
})

describe("a retry of an operation that holds the only connection of a database", () => {
  const run = everywhere("sqlite")
  it("waits for it and is replayed", () =>
    run(async (api, key) => {
      const batch = () =>
        api.operations([sleep(key("a"), 400), create(key("b"), "Alice")], {}, { "idempotency-key": key("c") })
      const [first, second] = await Promise.all([batch(), delay(150).then(batch)])
      expect({ firstCodes: codes(first), secondCodes: codes(second) }).toEqual({
        firstCodes: ["ok", "ok"],
        secondCodes: ["replayed", "replayed"],
      })
      expect(await api.names()).toEqual(["Alice"])
    }))
})

// Each store's own suite asserts that its results expire; these two go by the clock of the process and of a server.
describe.concurrent.each(["memory", "redis"] as const)("a result in %s that is kept for a second", (store) => {
  const run = everywhere(store, { IDEMPOTENCY_TTL_S: "1" })
  it("expires after it", { concurrent: false }, () => run(forASecond, "differently"))
})
