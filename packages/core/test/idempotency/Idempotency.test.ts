import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { afterEach } from "vitest"
import { createBatch } from "../../src/api/createBatch.ts"
import { resource } from "../../src/resources/Resource.ts"
import { OperationResult } from "../../src/batch/OperationResult.ts"
import { failure } from "../../src/batch/Failure.ts"
import type { Operation } from "../../src/batch/Operation.ts"
import { aesGcmResults } from "../../src/idempotency/aesGcmResults.ts"
import type { BatchPolicy } from "../../src/execution/BatchPolicy.ts"
import { memoryIdempotencyStore } from "../../src/idempotency/memoryIdempotencyStore.ts"
import { refusalCode, countingHandler, keyed, outcomes, IdempotencyHarness } from "../support/IdempotencyHarness.ts"
import { jsonRequest } from "../support/request.ts"

describe("required keys", () => {
  const required = { required: true }

  it.effect("may be a key of the batch, or a key of every operation that can run", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness(required)
      const refused = OperationResult.refused(failure("VALIDATION_ERROR", "m"))
      expect(outcomes(yield* harness.run({ operations: keyed("a", "b") }))).toEqual(["done", "done"])
      expect(outcomes(yield* harness.run({ operations: keyed(undefined), key: "k" }))).toEqual(["done"])
      expect(outcomes(yield* harness.run({ operations: keyed("c", { result: refused }) }))).toEqual([
        "done",
        "VALIDATION_ERROR",
      ])
    }),
  )

  it.effect("refuse a batch without them before the store is called or anything runs", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness(required)
      const { run, total } = countingHandler()
      for (const operations of [keyed(undefined), keyed("a", undefined)]) {
        const refused = yield* harness.run({ operations, run })
        expect({ code: refusalCode(refused), status: refused.refusal?.status }).toEqual({
          code: "IDEMPOTENCY_KEY_REQUIRED",
          status: 400,
        })
      }
      expect({ runs: total(), calls: harness.calls }).toEqual({ runs: 0, calls: [] })
    }),
  )
})

describe("an outage of the store", () => {
  const outage = Effect.fnUntraced(function* (harness: IdempotencyHarness, reported: Array<unknown>) {
    harness.behaviour = "unreachable"
    const options = { onUnexpected: (error: unknown) => void reported.push(error) }
    const codes: Array<string | undefined> = []
    for (const key of ["a", "b", "c"]) codes.push(refusalCode(yield* harness.run({ operations: keyed(key), options })))
    harness.behaviour = "works"
    yield* harness.run({ operations: keyed("d"), options })
    return codes
  })

  it.effect("is reported once with its cause, and again when it returns", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      const reported: Array<unknown> = []
      expect(yield* outage(harness, reported)).toEqual(Array(3).fill("STORE_UNAVAILABLE"))
      expect(reported).toEqual([new Error("ECONNREFUSED")])
      yield* outage(harness, reported)
      expect(reported).toHaveLength(2)
    }),
  )
})

describe("the tenant of a request with keys", () => {
  it.effect("has to be known, or the batch is refused", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      const { run, total } = countingHandler()
      const anonymous = { anonymous: true, run }
      for (const batch of [{ operations: keyed("a") }, { operations: keyed(undefined), key: "k" }]) {
        const refused = yield* harness.run({ ...anonymous, ...batch })
        expect({ code: refusalCode(refused), status: refused.refusal?.status }).toEqual({
          code: "INVALID_IDEMPOTENCY_KEY",
          status: 400,
        })
      }
      expect({ runs: total(), calls: harness.calls }).toEqual({ runs: 0, calls: [] })
      expect(outcomes(yield* harness.run({ ...anonymous, operations: keyed(undefined) }))).toEqual(["01"])
    }),
  )

  it.effect("is ignored where keys are global", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness({ scope: "global" })
      const { run, total } = countingHandler()
      for (const given of [{ tenant: "a" }, { tenant: "b" }, { anonymous: true }]) {
        yield* harness.run({ operations: keyed("k"), run, ...given })
      }
      expect(total()).toBe(1)
    }),
  )
})

describe("the pipeline", () => {
  it.effect("hashes inputs as they were sent, before validation changes them", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      let round = 0
      const prepare = async (operations: ReadonlyArray<Operation>) => {
        round++
        for (const operation of operations) operation.input = { made: round }
      }
      const batch = () => ({ operations: keyed("a", { input: "x" }), prepare, key: "k" })
      yield* harness.run(batch())
      expect((yield* harness.run(batch())).completed).toBe(true)
    }),
  )

  it.effect("claims no keys of a batch that cannot be planned", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      const [first, second] = keyed("a", "b") as [Operation, Operation]
      Object.assign(first, { dependsOn: [{ operation: second, accept: [] }] })
      Object.assign(second, { dependsOn: [{ operation: first, accept: [] }] })
      expect(refusalCode(yield* harness.run({ operations: [first, second], key: "k" }))).toBe("INVALID_DEPENDENCY")
      expect(harness.calls).toEqual([])
    }),
  )

  it.effect("claims keys before policies admit, so that these see replays", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      const seen: Array<ReadonlyArray<boolean>> = []
      const admit: BatchPolicy["admit"] = ({ batch }) =>
        Effect.sync(() => void seen.push(batch.operations.map(({ result }) => result?.replayed === true)))
      const options = { policies: [{ name: "see", admit }] }
      yield* harness.run({ operations: keyed("a"), options })
      yield* harness.run({ operations: keyed("a", "b"), options })
      expect(seen).toEqual([[false], [true, false]])
    }),
  )

  it.effect("does not call the store for a batch without keys", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      yield* harness.run({ operations: keyed(undefined, undefined) })
      expect(harness.calls).toEqual([])
    }),
  )
})

describe("an endpoint", () => {
  const open: Array<{ readonly close: () => Promise<void> }> = []
  afterEach(async () => {
    await Promise.all(open.splice(0).map(({ close }) => close()))
  })

  const setUp = (idempotency: object = {}, tenant: () => string | undefined = () => "t") => {
    let count = 0
    const users = resource("users", { create: { run: () => ({ id: `u_${++count}`, name: "Alice" }) } })
    const store = memoryIdempotencyStore()
    const batch = createBatch({ tenant, idempotency: { store, ...idempotency } })
    open.push(batch)
    const endpoint = batch.bulk(users, "create", { idempotencyKey: (item) => (item as { readonly ref?: unknown }).ref })
    const send = async (value: unknown, headers: Record<string, string> = {}) => {
      const { status, headers: answered, body } = await endpoint.handle(jsonRequest(value, { headers }))
      return { status, headers: answered, json: JSON.parse(body) as Record<string, unknown> }
    }
    return { send, store, count: () => count }
  }

  it("takes the keys of items from a function", async () => {
    const { send, count } = setUp()
    expect((await send({ users: [{ ref: "a" }, { ref: "b" }] })).json).toMatchObject({ created: 2 })
    const again = await send({ users: [{ ref: "b" }, { ref: "c" }, { ref: 1 }] })
    expect({ status: again.status, body: again.json }).toMatchObject({
      status: 207,
      body: {
        replayed: 1,
        results: [{ id: "u_2", replayed: true }, { id: "u_3" }, { error: { code: "INVALID_IDEMPOTENCY_KEY" } }],
      },
    })
    expect(count()).toBe(3)
  })

  it("reports whether a batch was replayed, in progress, different or not recorded", async () => {
    const { send, store } = setUp()
    const headers = { "idempotency-key": `"k"` }
    expect((await send({ users: [{}] }, headers)).headers).not.toHaveProperty("idempotency-replayed")
    const again = await send({ users: [{}] }, { "idempotency-key": "k" })
    expect({
      status: again.status,
      idempotencyReplayed: again.headers["idempotency-replayed"],
      body: again.json,
    }).toMatchObject({ status: 201, idempotencyReplayed: "true", body: { created: 1 } })
    const other = await send({ users: [{ a: 1 }] }, headers)
    expect({ status: other.status, contentType: other.headers["content-type"], body: other.json }).toMatchObject({
      status: 422,
      contentType: "application/problem+json",
      body: { code: "IDEMPOTENCY_KEY_REUSED" },
    })
    const settle = store.settle
    Object.assign(store, { settle: async () => Promise.reject(new Error("down")) })
    const unrecorded = await send({ users: [{}] }, { "idempotency-key": "l" })
    expect({ status: unrecorded.status, idempotencyStatus: unrecorded.headers["idempotency-status"] }).toEqual({
      status: 201,
      idempotencyStatus: "not-recorded",
    })
    const taken = await send({ users: [{}] }, { "idempotency-key": "l" })
    expect({ status: taken.status, retryAfter: taken.headers["retry-after"], body: taken.json }).toMatchObject({
      status: 409,
      retryAfter: "15",
      body: { code: "IDEMPOTENCY_IN_PROGRESS" },
    })
    Object.assign(store, { settle, acquire: () => Promise.reject(new Error("down")) })
    const down = await send({ users: [{}] }, { "idempotency-key": "m" })
    expect({ status: down.status, retryAfter: down.headers["retry-after"], body: down.json }).toMatchObject({
      status: 503,
      retryAfter: "1",
      body: { code: "STORE_UNAVAILABLE" },
    })
  })

  it("refuses an invalid key in the header before anything runs", async () => {
    const { send, count } = setUp()
    const refused = await send({ users: [{}] }, { "idempotency-key": "a, b" })
    expect({ status: refused.status, code: refused.json["code"], runs: count() }).toEqual({
      status: 400,
      code: "INVALID_IDEMPOTENCY_KEY",
      runs: 0,
    })
  })

  it("refuses keys where its tenant function returns undefined", async () => {
    const { send, count } = setUp({}, () => undefined)
    const refused = await send({ users: [{}] }, { "idempotency-key": "a" })
    expect({ status: refused.status, code: refused.json["code"], runs: count() }).toEqual({
      status: 400,
      code: "INVALID_IDEMPOTENCY_KEY",
      runs: 0,
    })
    expect((await send({ users: [{}] })).status).toBe(201)
  })

  it("stores results encrypted, and answers OUTCOME_UNKNOWN for those that were changed", async () => {
    const stored: Array<string> = []
    const memory = memoryIdempotencyStore()
    let tamper = (text: string) => text
    const store: typeof memory = {
      ...memory,
      acquire: async (items, times) => {
        const all = await memory.acquire(items, times)
        return all.map((each) => (each._tag === "replay" ? { ...each, result: tamper(each.result) } : each))
      },
      settle: (items, times) => {
        for (const { action } of items) if (action._tag === "complete") stored.push(action.result)
        return memory.settle(items, times)
      },
    }
    const { send, count } = setUp({ store, codec: aesGcmResults(new Uint8Array(32).fill(1)) })
    const batch = () => send({ users: [{ ref: "a" }, { ref: "b" }] })
    await batch()
    expect((await batch()).json).toEqual({
      created: 2,
      users: [
        { id: "u_1", name: "Alice" },
        { id: "u_2", name: "Alice" },
      ],
    })
    expect(stored.join()).not.toContain("Alice")
    const tamperings: Record<string, (text: string) => string> = {
      "one bit": (text) => text.slice(0, 20) + (text[20] === "A" ? "B" : "A") + text.slice(21),
      truncated: (text) => text.slice(0, -8),
      "another record": () => stored[1]!,
      "an older version": (text) => text.replace("a1.", "a0."),
      plain: () => `1{"o":"success","s":200,"v":{"id":"u_9"}}`,
    }
    for (const [name, change] of Object.entries(tamperings)) {
      tamper = (text) => (text === stored[0] ? change(text) : text)
      const { json } = await batch()
      expect({ name, ...json }).toMatchObject({
        name,
        replayed: 1,
        results: [{ error: { code: "OUTCOME_UNKNOWN" } }, { id: "u_2", replayed: true }],
      })
    }
    expect(count()).toBe(2)
  })

  it("is not created without a tenant function or with invalid options", () => {
    const store = memoryIdempotencyStore()
    expect(() => createBatch({ idempotency: { store } })).toThrow(`"idempotency" needs "tenant"`)
    expect(() => createBatch({ idempotency: { store, unsafeScope: "global" } })).not.toThrow()
    const wrong: ReadonlyArray<object> = [
      { store: {} },
      { store, lease: 99 },
      { store, lease: 1.5 },
      { store, ttl: 0 },
      { store, maxResultBytes: 0 },
      { store, codec: { encode: () => "" } },
      { store, onAmbiguous: "maybe" },
      { store, sameTransaction: true },
      { store, other: 1 },
    ]
    for (const idempotency of wrong) {
      expect(() => createBatch({ tenant: () => "t", idempotency: idempotency as never })).toThrow(TypeError)
    }
  })
})
