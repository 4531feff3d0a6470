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
import { code, counting, keyed, told, World } from "../support/idempotency.ts"
import { jsonRequest } from "../support/request.ts"

describe("required keys", () => {
  const required = { required: true }

  it.effect("may be the batch's, or one for every operation that can run", () =>
    Effect.gen(function* () {
      const world = new World(required)
      const refused = OperationResult.refused(failure("VALIDATION_ERROR", "m"))
      expect(told(yield* world.run({ operations: keyed("a", "b") }))).toEqual(["done", "done"])
      expect(told(yield* world.run({ operations: keyed(undefined), key: "k" }))).toEqual(["done"])
      expect(told(yield* world.run({ operations: keyed("c", { result: refused }) }))).toEqual([
        "done",
        "VALIDATION_ERROR",
      ])
    }),
  )

  it.effect("that are missing refuse the batch before anything is asked or run", () =>
    Effect.gen(function* () {
      const world = new World(required)
      const { run, total } = counting()
      for (const operations of [keyed(undefined), keyed("a", undefined)]) {
        const refused = yield* world.run({ operations, run })
        expect([code(refused), refused.refusal?.status]).toEqual(["IDEMPOTENCY_KEY_REQUIRED", 400])
      }
      expect([total(), world.asked]).toEqual([0, []])
    }),
  )
})

describe("whose keys they are", () => {
  it.effect("has to be known, or the batch is refused", () =>
    Effect.gen(function* () {
      const world = new World()
      const { run, total } = counting()
      const nobody = { anonymous: true, run }
      for (const batch of [{ operations: keyed("a") }, { operations: keyed(undefined), key: "k" }]) {
        const refused = yield* world.run({ ...nobody, ...batch })
        expect([code(refused), refused.refusal?.status]).toEqual(["INVALID_IDEMPOTENCY_KEY", 400])
      }
      expect([total(), world.asked]).toEqual([0, []])
      expect(told(yield* world.run({ ...nobody, operations: keyed(undefined) }))).toEqual(["01"])
    }),
  )

  it.effect("does not matter where keys are global", () =>
    Effect.gen(function* () {
      const world = new World({ scope: "global" })
      const { run, total } = counting()
      for (const given of [{ tenant: "a" }, { tenant: "b" }, { anonymous: true }]) {
        yield* world.run({ operations: keyed("k"), run, ...given })
      }
      expect(total()).toBe(1)
    }),
  )
})

describe("the order of things", () => {
  it.effect("hashes inputs as they were sent, not as validation makes them", () =>
    Effect.gen(function* () {
      const world = new World()
      let round = 0
      const prepare = async (operations: ReadonlyArray<Operation>) => {
        round++
        for (const operation of operations) operation.input = { made: round }
      }
      const batch = () => ({ operations: keyed("a", { input: "x" }), prepare, key: "k" })
      yield* world.run(batch())
      expect((yield* world.run(batch())).completed).toBe(true)
    }),
  )

  it.effect("claims nothing of a batch that cannot be planned, and nothing twice of one that can", () =>
    Effect.gen(function* () {
      const world = new World()
      const [first, second] = keyed("a", "b") as [Operation, Operation]
      Object.assign(first, { dependsOn: [{ operation: second, accept: [] }] })
      Object.assign(second, { dependsOn: [{ operation: first, accept: [] }] })
      expect(code(yield* world.run({ operations: [first, second], key: "k" }))).toBe("INVALID_DEPENDENCY")
      expect(world.asked).toEqual([])
    }),
  )

  it.effect("lets policies see replays, and claims before they admit", () =>
    Effect.gen(function* () {
      const world = new World()
      const seen: Array<ReadonlyArray<boolean>> = []
      const admit: BatchPolicy["admit"] = ({ batch }) =>
        Effect.sync(() => void seen.push(batch.operations.map(({ result }) => result?.replayed === true)))
      const options = { policies: [{ name: "see", admit }] }
      yield* world.run({ operations: keyed("a"), options })
      yield* world.run({ operations: keyed("a", "b"), options })
      expect(seen).toEqual([[false], [true, false]])
    }),
  )

  it.effect("asks the store nothing for a batch without keys", () =>
    Effect.gen(function* () {
      const world = new World()
      yield* world.run({ operations: keyed(undefined, undefined) })
      expect(world.asked).toEqual([])
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

  it("takes the keys of items from a function of them", async () => {
    const { send, count } = setUp()
    expect((await send({ users: [{ ref: "a" }, { ref: "b" }] })).json).toMatchObject({ created: 2 })
    const again = await send({ users: [{ ref: "b" }, { ref: "c" }, { ref: 1 }] })
    expect([again.status, again.json]).toMatchObject([
      207,
      {
        replayed: 1,
        results: [{ id: "u_2", replayed: true }, { id: "u_3" }, { error: { code: "INVALID_IDEMPOTENCY_KEY" } }],
      },
    ])
    expect(count()).toBe(3)
  })

  it("says that a batch was replayed, being executed, another one, or not recorded", async () => {
    const { send, store } = setUp()
    const headers = { "idempotency-key": `"k"` }
    expect((await send({ users: [{}] }, headers)).headers).not.toHaveProperty("idempotency-replayed")
    const again = await send({ users: [{}] }, { "idempotency-key": "k" })
    expect([again.status, again.headers["idempotency-replayed"], again.json]).toMatchObject([
      201,
      "true",
      { created: 1 },
    ])
    const other = await send({ users: [{ a: 1 }] }, headers)
    expect([other.status, other.headers["content-type"], other.json]).toMatchObject([
      422,
      "application/problem+json",
      { code: "IDEMPOTENCY_KEY_REUSED" },
    ])
    const settle = store.settle
    Object.assign(store, { settle: async () => Promise.reject(new Error("down")) })
    const unrecorded = await send({ users: [{}] }, { "idempotency-key": "l" })
    expect([unrecorded.status, unrecorded.headers["idempotency-status"]]).toEqual([201, "not-recorded"])
    const taken = await send({ users: [{}] }, { "idempotency-key": "l" })
    expect([taken.status, taken.headers["retry-after"], taken.json]).toMatchObject([
      409,
      "15",
      { code: "IDEMPOTENCY_IN_PROGRESS" },
    ])
    Object.assign(store, { settle, acquire: () => Promise.reject(new Error("down")) })
    const down = await send({ users: [{}] }, { "idempotency-key": "m" })
    expect([down.status, down.headers["retry-after"], down.json]).toMatchObject([
      503,
      "1",
      { code: "STORE_UNAVAILABLE" },
    ])
  })

  it("refuses a header that is no key before anything else", async () => {
    const { send, count } = setUp()
    const refused = await send({ users: [{}] }, { "idempotency-key": "a, b" })
    expect([refused.status, refused.json["code"], count()]).toEqual([400, "INVALID_IDEMPOTENCY_KEY", 0])
  })

  it("refuses keys of callers whom its tenant function does not know", async () => {
    const { send, count } = setUp({}, () => undefined)
    const refused = await send({ users: [{}] }, { "idempotency-key": "a" })
    expect([refused.status, refused.json["code"], count()]).toEqual([400, "INVALID_IDEMPOTENCY_KEY", 0])
    expect((await send({ users: [{}] })).status).toBe(201)
  })

  it("keeps results encrypted, and answers those that were changed as not known", async () => {
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
    for (const [name, how] of Object.entries(tamperings)) {
      tamper = (text) => (text === stored[0] ? how(text) : text)
      const { json } = await batch()
      expect([name, json]).toMatchObject([
        name,
        { replayed: 1, results: [{ error: { code: "OUTCOME_UNKNOWN" } }, { id: "u_2", replayed: true }] },
      ])
    }
    expect(count()).toBe(2)
  })

  it("is refused at the start where callers cannot be kept apart, or options are wrong", () => {
    const store = memoryIdempotencyStore()
    expect(() => createBatch({ idempotency: { store } })).toThrow(`needs "tenant"`)
    expect(() => createBatch({ idempotency: { store, unsafeScope: "global" } })).not.toThrow()
    const wrong: ReadonlyArray<object> = [
      { store: {} },
      { store, lease: 99 },
      { store, lease: 100.5 },
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
