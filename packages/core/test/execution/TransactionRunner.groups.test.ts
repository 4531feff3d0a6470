import { AsyncLocalStorage } from "node:async_hooks"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { resource } from "../../src/resources/Resource.ts"
import type { Send } from "../../src/formats/requests/SubRequestDispatcher.ts"
import { createBatch } from "../../src/api/createBatch.ts"
import type { RequestsOptions } from "../../src/api/RequestsOptions.ts"
import { CurrentTransaction } from "../../src/execution/UnitOfWork.ts"
import { FakeDatabase, type Handle } from "../support/FakeDatabase.ts"
import { type PutOptions, sendBatch, until } from "../support/putEndpoint.ts"

/** A host: `POST /<key>` adds a key in the current transaction and replies with the status in the query (default 201). */
const hostOf =
  (database: FakeDatabase, calls: Array<string>): Send =>
  async ({ method, url }, context) => {
    const { pathname, searchParams } = new URL(url, "http://host")
    const key = pathname.slice(1)
    calls.push(key)
    if (method === "POST") await database.addHere(key)
    if (searchParams.has("hang")) await new Promise<void>((resolve) => context.onAbort(resolve))
    const text = JSON.stringify({ key })
    const status = Number(searchParams.get("status") ?? 201)
    return { status, headers: { "content-type": "application/json" }, body: new TextEncoder().encode(text), text }
  }

const requestsEndpoint = ({ commits = [], ...options }: PutOptions & RequestsOptions = {}) => {
  const database = new FakeDatabase()
  database.commits = commits
  const calls: Array<string> = []
  const batch = createBatch({ unitOfWork: database, clientStrategies: ["atomic"] })
  return { database, calls, endpoint: batch.requests(hostOf(database, calls), options) }
}

interface SubRequestMembers {
  readonly atomicityGroup?: unknown
  readonly dependsOn?: ReadonlyArray<unknown>
  readonly method?: string
}

const request = (id: string, url = `/${id}`, members: SubRequestMembers = {}) => ({
  id,
  method: "POST",
  url,
  ...members,
})

const inGroup = (group: string, id: string, url?: string, members: SubRequestMembers = {}) =>
  request(id, url, { atomicityGroup: group, ...members })

/** Returns the id and the status of each sub-response, and the code if it is a problem. */
const summary = ({ json }: { readonly json: unknown }) =>
  (json as { responses: ReadonlyArray<{ id: string; status: number; body: { code?: string } }> }).responses.map(
    ({ id, status, body }) => [id, status, ...(body.code === undefined ? [] : [body.code])].join(" "),
  )

describe("an atomicity group of a JSON batch", () => {
  it("commits as a whole, through handlers that are not passed the transaction", async () => {
    const { endpoint, database } = requestsEndpoint()
    const response = await sendBatch(endpoint, { requests: [inGroup("g", "a"), inGroup("g", "b"), request("c")] })
    expect(summary(response)).toEqual(["a 201", "b 201", "c 201"])
    expect(database.begun).toBe(1)
    expect([...database.keys].sort()).toEqual(["a", "b", "c"])
  })

  it("rolls back as a whole; the failed member keeps its status, and other requests are not affected", async () => {
    const { endpoint, database } = requestsEndpoint()
    const requests = [
      request("x"),
      inGroup("g", "a"),
      inGroup("g", "b", "/b?status=409"),
      inGroup("g", "c"),
      inGroup("h", "d"),
      inGroup("h", "e"),
      request("y", "/y?status=500"),
    ]
    const response = await sendBatch(endpoint, { requests })
    expect(response.status).toBe(200)
    expect(summary(response)).toEqual([
      "x 201",
      "a 424 ROLLED_BACK",
      "b 409",
      "c 424 ROLLED_BACK",
      "d 201",
      "e 201",
      "y 500",
    ])
    expect([...database.keys].sort()).toEqual(["d", "e", "x", "y"])
  })

  it("rolls back if a member was refused before execution", async () => {
    const { endpoint, database, calls } = requestsEndpoint()
    const response = await sendBatch(endpoint, {
      requests: [inGroup("g", "a"), inGroup("g", "b", "nowhere"), inGroup("g", "c")],
    })
    expect(summary(response)).toEqual(["a 424 ROLLED_BACK", "b 400 INVALID_REQUEST", "c 424 ROLLED_BACK"])
    expect(database.keys).toEqual([])
    expect(calls).toEqual(["a"])
  })

  it("does not start if a dependency of a member fails", async () => {
    const { endpoint, database, calls } = requestsEndpoint()
    const requests = [
      request("x", "/x?status=404"),
      inGroup("g", "a", "/a", { dependsOn: ["x"] }),
      inGroup("g", "b"),
      request("y", "/y", { dependsOn: ["b"] }),
    ]
    expect(summary(await sendBatch(endpoint, { requests }))).toEqual([
      "x 404",
      "a 424 FAILED_DEPENDENCY",
      "b 424 ROLLED_BACK",
      "y 424 FAILED_DEPENDENCY",
    ])
    expect({ calls, keys: database.keys }).toEqual({ calls: ["x"], keys: ["x"] })
  })

  it("can be a dependency by its name, of earlier and later requests", async () => {
    for (const [query, expected] of [
      ["", ["x 201", "a 201", "b 201", "y 201"]],
      ["?status=409", ["x 424 FAILED_DEPENDENCY", "a 424 ROLLED_BACK", "b 409", "y 424 FAILED_DEPENDENCY"]],
    ] as const) {
      const { endpoint, calls } = requestsEndpoint()
      const requests = [
        request("x", "/x", { dependsOn: ["g"] }),
        inGroup("g", "a"),
        inGroup("g", "b", `/b${query}`),
        request("y", "/y", { dependsOn: [{ id: "g", accept: [] }] }),
      ]
      expect(summary(await sendBatch(endpoint, { requests }))).toEqual(expected)
      expect(calls.slice(0, 2)).toEqual(["a", "b"])
    }
  })

  it("can depend on another group and refer to its members", async () => {
    const { endpoint, calls } = requestsEndpoint()
    const requests = [
      inGroup("late", "c", "/c-@{a.body.key}", { dependsOn: ["early"] }),
      inGroup("late", "d"),
      inGroup("early", "a"),
      inGroup("early", "b", "/b-@{a.body.key}"),
    ]
    expect(summary(await sendBatch(endpoint, { requests }))).toEqual(["c 201", "d 201", "a 201", "b 201"])
    expect(calls).toEqual(["a", "b-a", "d", "c-a"])
  })

  it("runs its members one after another, in the order of their dependencies", async () => {
    const { endpoint, calls } = requestsEndpoint()
    const requests = [inGroup("g", "a", "/a", { dependsOn: ["c"] }), inGroup("g", "b"), inGroup("g", "c")]
    expect(summary(await sendBatch(endpoint, { requests }))).toEqual(["a 201", "b 201", "c 201"])
    expect(calls).toEqual(["b", "c", "a"])
  })

  it("gives all members OUTCOME_UNKNOWN if the outcome of its commit is unknown", async () => {
    const { endpoint } = requestsEndpoint({ commits: ["unknown"] })
    const response = await sendBatch(endpoint, { requests: [inGroup("g", "a"), inGroup("g", "b")] })
    expect(response.status).toBe(200)
    expect(summary(response)).toEqual(["a 409 OUTCOME_UNKNOWN", "b 409 OUTCOME_UNKNOWN"])
  })

  it("ends in a conflict if every attempt fails with a transient error", async () => {
    const { endpoint } = requestsEndpoint({ commits: ["transient", "transient", "transient", "transient"] })
    const response = await sendBatch(endpoint, { requests: [inGroup("g", "a"), inGroup("g", "b"), request("c")] })
    expect(summary(response)).toEqual(["a 409 CONFLICT", "b 424 ROLLED_BACK", "c 201"])
  })

  it("rolls back at the deadline", async () => {
    const { endpoint, database } = requestsEndpoint({ limits: { deadline: 100 } })
    const requests = [
      inGroup("g", "a"),
      inGroup("g", "b", "/b?hang"),
      inGroup("g", "c"),
      request("d", "/d", { dependsOn: ["g"] }),
    ]
    expect(summary(await sendBatch(endpoint, { requests }))).toEqual([
      "a 424 ROLLED_BACK",
      "b 504 DEADLINE_EXCEEDED",
      "c 424 ROLLED_BACK",
      "d 504 DEADLINE_EXCEEDED",
    ])
    expect(database.keys).toEqual([])
  })

  it("rolls back if the client disconnects, while a request outside of it finishes", async () => {
    const { endpoint, database, calls } = requestsEndpoint()
    const client = new AbortController()
    const sending = sendBatch(
      endpoint,
      { requests: [inGroup("g", "a"), inGroup("g", "b", "/b?hang"), request("c")] },
      { signal: client.signal },
    )
    await until(() => calls.length === 3)
    client.abort()
    await sending
    expect(database.keys).toEqual(["c"])
  })

  it.each([
    [
      "whose members are not adjacent",
      [inGroup("g", "a"), request("b"), inGroup("g", "c")],
      "INVALID_BATCH",
      "/requests/2/atomicityGroup",
    ],
    ["whose name is empty", [inGroup("", "a")], "INVALID_BATCH", "/requests/0/atomicityGroup"],
    ["whose name is too long", [inGroup("g".repeat(257), "a")], "INVALID_BATCH", "/requests/0/atomicityGroup"],
    [
      "whose name is not a string",
      [request("a", "/a", { atomicityGroup: 7 })],
      "INVALID_BATCH",
      "/requests/0/atomicityGroup",
    ],
    [
      "that depends on itself",
      [inGroup("g", "a", "/a", { dependsOn: ["g"] })],
      "INVALID_DEPENDENCY",
      "/requests/0/dependsOn",
    ],
    [
      "that does not exist but is depended on",
      [request("a", "/a", { dependsOn: ["g"] })],
      "INVALID_DEPENDENCY",
      "/requests/0/dependsOn",
    ],
  ])("%s refuses the batch before anything runs", async (_, requests, code, pointer) => {
    const { endpoint, calls } = requestsEndpoint()
    expect(await sendBatch(endpoint, { requests })).toMatchObject({ status: 400, json: { code, pointer } })
    expect(calls).toEqual([])
  })

  it("that waits for an operation that waits for it refuses the batch before anything runs", async () => {
    const through = [
      inGroup("g", "a"),
      inGroup("g", "c", "/c", { dependsOn: ["b"] }),
      request("b", "/b", { dependsOn: ["a"] }),
    ]
    const twoGroups = [
      inGroup("g", "a", "/a", { dependsOn: ["c"] }),
      inGroup("g", "b"),
      inGroup("h", "c"),
      inGroup("h", "d", "/d", { dependsOn: ["b"] }),
    ]
    const byReference = [inGroup("g", "a"), inGroup("g", "c", "/@{b.body.key}"), request("b", "/@{a.body.key}")]
    const samePath = [
      inGroup("g", "a", "/same", { method: "PUT" }),
      inGroup("g", "c", "/c", { dependsOn: ["b"] }),
      request("b", "/same", { method: "PUT" }),
    ]
    for (const requests of [through, twoGroups, byReference, samePath]) {
      const { endpoint, calls } = requestsEndpoint()
      expect(await sendBatch(endpoint, { requests })).toMatchObject({
        status: 400,
        json: { code: "INVALID_DEPENDENCY" },
      })
      expect(calls).toEqual([])
    }
  })

  it("is refused if the endpoint has no transactions", async () => {
    const calls: Array<string> = []
    const batch = createBatch({ clientStrategies: ["stop-after"] })
    const endpoint = batch.requests(hostOf(new FakeDatabase(), calls))
    const response = await sendBatch(endpoint, { requests: [inGroup("g", "a")] })
    expect(response).toMatchObject({ status: 400, json: { code: "STRATEGY_NOT_OFFERED" } })
    expect(await sendBatch(endpoint, { atomic: true, requests: [request("a")] })).toMatchObject({ status: 400 })
    expect(calls).toEqual([])
  })

  it("may have the name of a request, to which dependencies then refer", async () => {
    const { endpoint, calls } = requestsEndpoint()
    const requests = [inGroup("x", "a", "/a?status=404"), request("x"), request("y", "/y", { dependsOn: ["x"] })]
    expect(summary(await sendBatch(endpoint, { requests }))).toEqual(["a 404", "x 201", "y 201"])
    expect(calls).toHaveLength(3)
  })
})

describe("an atomic JSON batch", () => {
  it("is one group of all requests, and always answered 200", async () => {
    const { endpoint, database } = requestsEndpoint()
    const success = await sendBatch(endpoint, { atomic: true, requests: [request("a"), request("b")] })
    expect({ status: success.status, responses: summary(success) }).toEqual({
      status: 200,
      responses: ["a 201", "b 201"],
    })
    const failure = await sendBatch(endpoint, {
      atomic: true,
      requests: [request("c"), request("d", "/d?status=422"), request("e")],
    })
    expect({ status: failure.status, responses: summary(failure) }).toEqual({
      status: 200,
      responses: ["c 424 ROLLED_BACK", "d 422", "e 424 ROLLED_BACK"],
    })
    expect(database).toMatchObject({ keys: ["a", "b"], begun: 2 })
  })

  it("refuses routes that do not support transactions", async () => {
    const { endpoint, database, calls } = requestsEndpoint({
      requireTransaction: ({ method, url }) => method !== "POST" || !url.startsWith("/mail"),
    })
    const requests = [request("a"), request("mail"), request("b")]
    expect(summary(await sendBatch(endpoint, { atomic: true, requests }))).toEqual([
      "a 424 ROLLED_BACK",
      "mail 400 INVALID_REQUEST",
      "b 424 ROLLED_BACK",
    ])
    const grouped = [inGroup("g", "a"), inGroup("g", "mail"), request("b")]
    expect(summary(await sendBatch(endpoint, { requests: grouped }))).toEqual([
      "a 424 ROLLED_BACK",
      "mail 400 INVALID_REQUEST",
      "b 201",
    ])
    expect(calls).not.toContain("mail")
    expect(summary(await sendBatch(endpoint, { requests: [request("mail")] }))).toEqual(["mail 201"])
    expect(database.keys).toEqual(["b", "mail"])
  })

  it("gives all requests OUTCOME_UNKNOWN if the outcome of its commit is unknown", async () => {
    const { endpoint } = requestsEndpoint({ commits: ["unknown"] })
    const response = await sendBatch(endpoint, { atomic: true, requests: [request("a"), request("b")] })
    expect({ status: response.status, responses: summary(response) }).toEqual({
      status: 200,
      responses: ["a 409 OUTCOME_UNKNOWN", "b 409 OUTCOME_UNKNOWN"],
    })
  })
})

describe("an Effect in a transaction", () => {
  it("gets it as CurrentTransaction, in the asynchronous context of the transaction and of the request", async () => {
    const database = new FakeDatabase()
    const requestId = new AsyncLocalStorage<string>()
    const seen: Array<unknown> = []
    const put = (key: string) =>
      Effect.gen(function* () {
        const tx = (yield* CurrentTransaction) as Handle
        yield* Effect.promise(() => tx.add(`${key} by tx`))
        yield* Effect.sleep(2)
        yield* Effect.promise(() => database.addHere(`${key} by context`))
        seen.push(requestId.getStore())
        return key === "bad" ? yield* Effect.die(new Error("bad")) : { id: key }
      })
    const things = resource("things", { put: { identified: false, run: (key) => put(key as string) } })
    const batch = createBatch(
      { unitOfWork: database, clientStrategies: ["atomic"], onUnexpected: () => undefined },
      { captureContext: () => AsyncLocalStorage.snapshot() },
    )
    const endpoint = batch.operations(things)
    const operations = (...keys: ReadonlyArray<string>) => keys.map((data) => ({ action: "put", data }))
    const failed = await requestId.run("r1", () =>
      sendBatch(endpoint, { atomic: true, operations: operations("a", "bad") }),
    )
    expect({ status: failed.status, keys: database.keys }).toEqual({ status: 500, keys: [] })
    const success = await requestId.run("r2", () =>
      sendBatch(endpoint, { atomic: true, operations: operations("a", "b") }),
    )
    expect(success.status).toBe(200)
    expect(database.keys).toEqual(["a by tx", "a by context", "b by tx", "b by context"])
    const outside = await requestId.run("r3", () => sendBatch(endpoint, { operations: operations("c") }))
    expect(outside.status).toBe(200)
    expect(database.keys.slice(4)).toEqual(["c by tx", "c by context"])
    expect(seen).toEqual(["r1", "r1", "r2", "r2", "r3"])
    await batch.close()
  })
})
