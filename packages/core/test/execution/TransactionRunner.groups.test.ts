import { AsyncLocalStorage } from "node:async_hooks"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { resource } from "../../src/resources/Resource.ts"
import type { Send } from "../../src/formats/requests/SubRequestDispatcher.ts"
import { createBatch } from "../../src/api/createBatch.ts"
import type { RequestsOptions } from "../../src/api/RequestsOptions.ts"
import { CurrentTransaction } from "../../src/execution/UnitOfWork.ts"
import { FakeDatabase, type Handle } from "../support/FakeDatabase.ts"
import { ask, type Given, until } from "../support/puts.ts"

/** A host: `POST /<key>` adds a key in whatever transaction it is called in, and then answers the status in the query. */
const hostOf =
  (database: FakeDatabase, calls: Array<string>): Send =>
  async ({ method, url }, call) => {
    const { pathname, searchParams } = new URL(url, "http://host")
    const key = pathname.slice(1)
    calls.push(key)
    if (method === "POST") await database.addHere(key)
    if (searchParams.has("hang")) await new Promise<void>((resolve) => call.onAbort(resolve))
    const text = JSON.stringify({ key })
    const status = Number(searchParams.get("status") ?? 201)
    return { status, headers: { "content-type": "application/json" }, body: new TextEncoder().encode(text), text }
  }

const requestsEndpoint = ({ commits = [], ...options }: Given & RequestsOptions = {}) => {
  const database = new FakeDatabase()
  database.commits = commits
  const calls: Array<string> = []
  const batch = createBatch({ unitOfWork: database, clientStrategies: ["atomic"] })
  return { database, calls, endpoint: batch.requests(hostOf(database, calls), options) }
}

interface Sent {
  readonly atomicityGroup?: unknown
  readonly dependsOn?: ReadonlyArray<unknown>
  readonly method?: string
}

const request = (id: string, url = `/${id}`, more: Sent = {}) => ({ id, method: "POST", url, ...more })

const inGroup = (group: string, id: string, url?: string, more: Sent = {}) =>
  request(id, url, { atomicityGroup: group, ...more })

/** Each sub-response: its status, and the code where it is a problem. */
const summary = ({ json }: { readonly json: unknown }) =>
  (json as { responses: ReadonlyArray<{ id: string; status: number; body: { code?: string } }> }).responses.map(
    ({ id, status, body }) => [id, status, ...(body.code === undefined ? [] : [body.code])].join(" "),
  )

describe("an atomicity group of a JSON batch", () => {
  it("happens as a whole, through handlers that are handed nothing", async () => {
    const { endpoint, database } = requestsEndpoint()
    const answer = await ask(endpoint, { requests: [inGroup("g", "a"), inGroup("g", "b"), request("c")] })
    expect(summary(answer)).toEqual(["a 201", "b 201", "c 201"])
    expect(database.begun).toBe(1)
    expect([...database.keys].sort()).toEqual(["a", "b", "c"])
  })

  it("is undone as a whole; who failed keeps its status, and others are as they would be alone", async () => {
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
    const answer = await ask(endpoint, { requests })
    expect(answer.status).toBe(200)
    expect(summary(answer)).toEqual([
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

  it("is undone by a member that is refused beforehand", async () => {
    const { endpoint, database, calls } = requestsEndpoint()
    const answer = await ask(endpoint, {
      requests: [inGroup("g", "a"), inGroup("g", "b", "nowhere"), inGroup("g", "c")],
    })
    expect(summary(answer)).toEqual(["a 424 ROLLED_BACK", "b 400 INVALID_REQUEST", "c 424 ROLLED_BACK"])
    expect(database.keys).toEqual([])
    expect(calls).toEqual(["a"])
  })

  it("fails with a dependency of one of its members, and is not begun", async () => {
    const { endpoint, database, calls } = requestsEndpoint()
    const requests = [
      request("x", "/x?status=404"),
      inGroup("g", "a", "/a", { dependsOn: ["x"] }),
      inGroup("g", "b"),
      request("y", "/y", { dependsOn: ["b"] }),
    ]
    expect(summary(await ask(endpoint, { requests }))).toEqual([
      "x 404",
      "a 424 FAILED_DEPENDENCY",
      "b 424 ROLLED_BACK",
      "y 424 FAILED_DEPENDENCY",
    ])
    expect([calls, database.keys]).toEqual([["x"], ["x"]])
  })

  it("may be depended on by its name, whether it comes before or after", async () => {
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
      expect(summary(await ask(endpoint, { requests }))).toEqual(expected)
      expect(calls.slice(0, 2)).toEqual(["a", "b"])
    }
  })

  it("may depend on another group, and refer to its members", async () => {
    const { endpoint, calls } = requestsEndpoint()
    const requests = [
      inGroup("late", "c", "/c-@{a.body.key}", { dependsOn: ["early"] }),
      inGroup("late", "d"),
      inGroup("early", "a"),
      inGroup("early", "b", "/b-@{a.body.key}"),
    ]
    expect(summary(await ask(endpoint, { requests }))).toEqual(["c 201", "d 201", "a 201", "b 201"])
    expect(calls).toEqual(["a", "b-a", "d", "c-a"])
  })

  it("runs its members one after another, in the order of their dependencies", async () => {
    const { endpoint, calls } = requestsEndpoint()
    const requests = [inGroup("g", "a", "/a", { dependsOn: ["c"] }), inGroup("g", "b"), inGroup("g", "c")]
    expect(summary(await ask(endpoint, { requests }))).toEqual(["a 201", "b 201", "c 201"])
    expect(calls).toEqual(["b", "c", "a"])
  })

  it("tells all of its members if its outcome cannot be found out", async () => {
    const { endpoint } = requestsEndpoint({ commits: ["unknown"] })
    const answer = await ask(endpoint, { requests: [inGroup("g", "a"), inGroup("g", "b")] })
    expect(answer.status).toBe(200)
    expect(summary(answer)).toEqual(["a 409 OUTCOME_UNKNOWN", "b 409 OUTCOME_UNKNOWN"])
  })

  it("is a conflict where rivals defeat it as often as it is tried", async () => {
    const { endpoint } = requestsEndpoint({ commits: ["transient", "transient", "transient", "transient"] })
    const answer = await ask(endpoint, { requests: [inGroup("g", "a"), inGroup("g", "b"), request("c")] })
    expect(summary(answer)).toEqual(["a 409 CONFLICT", "b 424 ROLLED_BACK", "c 201"])
  })

  it("is undone at the deadline", async () => {
    const { endpoint, database } = requestsEndpoint({ limits: { deadline: 100 } })
    const requests = [
      inGroup("g", "a"),
      inGroup("g", "b", "/b?hang"),
      inGroup("g", "c"),
      request("d", "/d", { dependsOn: ["g"] }),
    ]
    expect(summary(await ask(endpoint, { requests }))).toEqual([
      "a 424 ROLLED_BACK",
      "b 504 DEADLINE_EXCEEDED",
      "c 424 ROLLED_BACK",
      "d 504 DEADLINE_EXCEEDED",
    ])
    expect(database.keys).toEqual([])
  })

  it("is undone when the client goes away; a request of its own may finish", async () => {
    const { endpoint, database, calls } = requestsEndpoint()
    const gone = new AbortController()
    const asking = ask(
      endpoint,
      { requests: [inGroup("g", "a"), inGroup("g", "b", "/b?hang"), request("c")] },
      { signal: gone.signal },
    )
    await until(() => calls.length === 3)
    gone.abort()
    await asking
    expect(database.keys).toEqual(["c"])
  })

  it.each([
    [
      "that is torn apart",
      [inGroup("g", "a"), request("b"), inGroup("g", "c")],
      "INVALID_BATCH",
      "/requests/2/atomicityGroup",
    ],
    ["whose name is empty", [inGroup("", "a")], "INVALID_BATCH", "/requests/0/atomicityGroup"],
    ["whose name is too long", [inGroup("g".repeat(257), "a")], "INVALID_BATCH", "/requests/0/atomicityGroup"],
    [
      "whose name is no string",
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
    ["that is not there", [request("a", "/a", { dependsOn: ["g"] })], "INVALID_DEPENDENCY", "/requests/0/dependsOn"],
  ])("%s refuses the batch, and nothing runs", async (_, requests, code, pointer) => {
    const { endpoint, calls } = requestsEndpoint()
    expect(await ask(endpoint, { requests })).toMatchObject({ status: 400, json: { code, pointer } })
    expect(calls).toEqual([])
  })

  it("that is waited for by what it waits for refuses the batch, and nothing runs", async () => {
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
    const samePath = [inGroup("g", "a", "/same"), inGroup("g", "c", "/c", { dependsOn: ["b"] }), request("b", "/same")]
    for (const requests of [through, twoGroups, byReference, samePath]) {
      const { endpoint, calls } = requestsEndpoint()
      expect(await ask(endpoint, { requests })).toMatchObject({ status: 400, json: { code: "INVALID_DEPENDENCY" } })
      expect(calls).toEqual([])
    }
  })

  it("is refused where the endpoint has no transactions", async () => {
    const calls: Array<string> = []
    const batch = createBatch({ clientStrategies: ["stop-after"] })
    const endpoint = batch.requests(hostOf(new FakeDatabase(), calls))
    const answer = await ask(endpoint, { requests: [inGroup("g", "a")] })
    expect(answer).toMatchObject({ status: 400, json: { code: "STRATEGY_NOT_OFFERED" } })
    expect(await ask(endpoint, { atomic: true, requests: [request("a")] })).toMatchObject({ status: 400 })
    expect(calls).toEqual([])
  })

  it("may be named like a request, which then is what is depended on", async () => {
    const { endpoint, calls } = requestsEndpoint()
    const requests = [inGroup("x", "a", "/a?status=404"), request("x"), request("y", "/y", { dependsOn: ["x"] })]
    expect(summary(await ask(endpoint, { requests }))).toEqual(["a 404", "x 201", "y 201"])
    expect(calls).toHaveLength(3)
  })
})

describe("an atomic JSON batch", () => {
  it("is one group of all, and answers 200 whatever becomes of it", async () => {
    const { endpoint, database } = requestsEndpoint()
    const good = await ask(endpoint, { atomic: true, requests: [request("a"), request("b")] })
    expect([good.status, summary(good)]).toEqual([200, ["a 201", "b 201"]])
    const bad = await ask(endpoint, {
      atomic: true,
      requests: [request("c"), request("d", "/d?status=422"), request("e")],
    })
    expect([bad.status, summary(bad)]).toEqual([200, ["c 424 ROLLED_BACK", "d 422", "e 424 ROLLED_BACK"]])
    expect(database).toMatchObject({ keys: ["a", "b"], begun: 2 })
  })

  it("refuses routes that are known not to take part", async () => {
    const { endpoint, database, calls } = requestsEndpoint({
      requireTransaction: ({ method, url }) => method !== "POST" || !url.startsWith("/mail"),
    })
    const requests = [request("a"), request("mail"), request("b")]
    expect(summary(await ask(endpoint, { atomic: true, requests }))).toEqual([
      "a 424 ROLLED_BACK",
      "mail 400 INVALID_REQUEST",
      "b 424 ROLLED_BACK",
    ])
    const grouped = [inGroup("g", "a"), inGroup("g", "mail"), request("b")]
    expect(summary(await ask(endpoint, { requests: grouped }))).toEqual([
      "a 424 ROLLED_BACK",
      "mail 400 INVALID_REQUEST",
      "b 201",
    ])
    expect(calls).not.toContain("mail")
    expect(summary(await ask(endpoint, { requests: [request("mail")] }))).toEqual(["mail 201"])
    expect(database.keys).toEqual(["b", "mail"])
  })

  it("tells all of its requests if its outcome cannot be found out", async () => {
    const { endpoint } = requestsEndpoint({ commits: ["unknown"] })
    const answer = await ask(endpoint, { atomic: true, requests: [request("a"), request("b")] })
    expect([answer.status, summary(answer)]).toEqual([200, ["a 409 OUTCOME_UNKNOWN", "b 409 OUTCOME_UNKNOWN"]])
  })
})

describe("an Effect in a transaction", () => {
  it("finds it as CurrentTransaction and in its asynchronous context, and that of its request", async () => {
    const database = new FakeDatabase()
    const requestId = new AsyncLocalStorage<string>()
    const seen: Array<unknown> = []
    const put = (key: string) =>
      Effect.gen(function* () {
        const tx = (yield* CurrentTransaction) as Handle
        yield* Effect.promise(() => tx.add(`${key} handed`))
        yield* Effect.sleep(2)
        yield* Effect.promise(() => database.addHere(`${key} found`))
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
    const bad = await requestId.run("r1", () => ask(endpoint, { atomic: true, operations: operations("a", "bad") }))
    expect([bad.status, database.keys]).toEqual([500, []])
    const good = await requestId.run("r2", () => ask(endpoint, { atomic: true, operations: operations("a", "b") }))
    expect(good.status).toBe(200)
    expect(database.keys).toEqual(["a handed", "a found", "b handed", "b found"])
    const alone = await requestId.run("r3", () => ask(endpoint, { operations: operations("c") }))
    expect([alone.status, database.keys.slice(4)]).toEqual([200, ["c handed", "c found"]])
    expect(seen).toEqual(["r1", "r1", "r2", "r2", "r3"])
    await batch.close()
  })
})
