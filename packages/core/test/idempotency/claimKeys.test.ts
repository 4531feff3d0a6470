import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { BatchError } from "../../src/batch/BatchError.ts"
import { PolicyRefusal } from "../../src/batch/RefusalReason.ts"
import { failure } from "../../src/batch/Failure.ts"
import type { Operation } from "../../src/batch/Operation.ts"
import { OperationResult } from "../../src/batch/OperationResult.ts"
import type { BatchPolicy } from "../../src/execution/BatchPolicy.ts"
import {
  refusalCode,
  countingHandler,
  crashed,
  keyed,
  neverAnswers,
  notFound,
  outcomes,
  IdempotencyHarness,
} from "../support/IdempotencyHarness.ts"

const depends = (operation: Operation, ...on: ReadonlyArray<Operation>): Operation =>
  Object.assign(operation, { dependsOn: on.map((each) => ({ operation: each, accept: [] })) })

describe("an operation with a key", () => {
  it.effect("runs once, and a retry gets its result", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      const { run, counts } = countingHandler()
      expect(outcomes(yield* harness.run({ operations: keyed("a", "b"), run }))).toEqual(["a1", "b1"])
      expect(outcomes(yield* harness.run({ operations: keyed("b", "a", "c"), run }))).toEqual([
        "replayed b1",
        "replayed a1",
        "c1",
      ])
      expect(counts).toEqual(
        new Map([
          ["a", 1],
          ["b", 1],
          ["c", 1],
        ]),
      )
    }),
  )

  it.effect("is a different key for another tenant, at another endpoint, and as the key of a batch", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      const { run, counts } = countingHandler()
      yield* harness.run({ operations: keyed("a"), run })
      yield* harness.run({ operations: keyed("a"), run, tenant: "u" })
      yield* harness.run({ operations: keyed("a"), run, options: { endpoint: "others" } })
      yield* harness.run({ operations: keyed({ input: "a" }), run, key: "a" })
      expect(counts.get("a")).toBe(4)
    }),
  )

  it.effect("never collides with a key of another tenant, another endpoint or a batch", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      const { run, counts } = countingHandler(() => "x")
      const spellings = [
        { tenant: "t", endpoint: "e", key: "k" },
        { tenant: `t","e`, endpoint: "", key: "k" },
        { tenant: "te", endpoint: "", key: "k" },
        { tenant: "t", endpoint: "ek", key: "k" },
        { tenant: "t:e", endpoint: "k", key: "k" },
        { tenant: "t\u0000e", endpoint: "k", key: "k" },
        { tenant: "t", endpoint: `e","operation`, key: "k" },
        { tenant: "t", endpoint: "e", key: `k",0]` },
        { tenant: "null", endpoint: "e", key: "k" },
      ]
      for (const { tenant, endpoint, key } of spellings) {
        yield* harness.run({ operations: keyed({ key: key, input: "same" }), run, tenant, options: { endpoint } })
      }
      expect(counts.get("same")).toBe(spellings.length)
    }),
  )

  it.effect("may be the name of an inherited member of objects", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      const { run, total } = countingHandler()
      const names = ["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf"]
      for (let round = 0; round < 2; round++) yield* harness.run({ operations: keyed(...names), run, key: "__proto__" })
      for (let round = 0; round < 2; round++) yield* harness.run({ operations: keyed(...names), run })
      expect(total()).toBe(names.length)
    }),
  )

  it.effect("is refused for another request, and keeps its stored result", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      const { run } = countingHandler()
      yield* harness.run({ operations: keyed({ key: "a", input: 1 }), run })
      const others = [{ input: "1" }, { input: 2 }, { input: 1, action: "delete" }, { input: 1, id: "u_1" }]
      for (const other of others) {
        expect(outcomes(yield* harness.run({ operations: keyed({ key: "a", ...other }), run }))).toEqual([
          "IDEMPOTENCY_KEY_REUSED",
        ])
      }
      expect(outcomes(yield* harness.run({ operations: keyed({ key: "a", input: 1 }), run }))).toEqual(["replayed 11"])
    }),
  )

  it.effect("that another request is executing is answered 409 with the seconds until its lease ends", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      yield* harness.start({ operations: keyed("a"), run: neverAnswers })
      const second = yield* harness.run({ operations: keyed("a", "b") })
      expect(outcomes(second)).toEqual(["IDEMPOTENCY_IN_PROGRESS", "done"])
      expect(second.operations[0]!.result?.failure).toMatchObject({ status: 409, retryable: true, retryAfter: 15 })
      // A mismatch takes precedence, because it stays a mismatch.
      expect(outcomes(yield* harness.run({ operations: keyed({ key: "a", input: "else" }) }))).toEqual([
        "IDEMPOTENCY_KEY_REUSED",
      ])
    }),
  )

  it.effect("runs again when its result has expired", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness({ ttlMs: 60_000 })
      const { run, counts } = countingHandler()
      yield* harness.run({ operations: keyed("a"), run })
      harness.nowMs += 59_999
      yield* harness.run({ operations: keyed("a"), run })
      expect(counts.get("a")).toBe(1)
      harness.nowMs += 1
      yield* harness.run({ operations: keyed("a"), run })
      expect(counts.get("a")).toBe(2)
    }),
  )
})

describe("storing results", () => {
  const answers: Readonly<Record<string, readonly [unknown, "stored" | "free"]>> = {
    "a value": ["v", "stored"],
    "no value": [undefined, "stored"],
    "the value null": [null, "stored"],
    "a failure of the application": [failure("ODD", "m"), "stored"],
    "404": [notFound, "stored"],
    "409": [failure("CONFLICT", "m"), "stored"],
    "400": [failure("X", "m", { status: 400 }), "stored"],
    "408": [failure("X", "m", { status: 408 }), "free"],
    "425": [failure("X", "m", { status: 425 }), "free"],
    "429": [failure("RATE_LIMITED", "m"), "free"],
    "500": [failure("INTERNAL", "m"), "free"],
    "503": [failure("X", "m", { status: 503 }), "free"],
    "a refusal before the handler ran": [OperationResult.refused(notFound), "free"],
    "a skipped operation": [OperationResult.skipped(failure("UNRESOLVED_REFERENCE", "m")), "free"],
  }

  for (const [name, [answer, fate]] of Object.entries(answers))
    it.effect(`${fate === "stored" ? "stores" : "does not store"} ${name}`, () =>
      Effect.gen(function* () {
        for (const key of [undefined, "batch"]) {
          const harness = new IdempotencyHarness()
          const { run, total } = countingHandler(() => answer)
          const operations = () => (key === undefined ? keyed("a") : keyed(undefined))
          const first = yield* harness.run({ operations: operations(), run, key })
          const second = yield* harness.run({ operations: operations(), run, key })
          expect(total()).toBe(fate === "stored" ? 1 : 2)
          expect(second.completed).toBe(key !== undefined && fate === "stored")
          expect(second.operations[0]!.result).toEqual({
            ...first.operations[0]!.result,
            ...(fate === "stored" && { replayed: true, answered: true }),
          })
        }
      }),
    )

  it.effect("does not store operations that validation or a failed dependency refused", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      const { run, counts } = countingHandler((input) => (input === "bad" ? failure("X", "m", { status: 500 }) : "ok"))
      let isValid = false
      const prepare = async (operations: ReadonlyArray<Operation>) => {
        if (!isValid) operations[0]!.result = OperationResult.refused(failure("VALIDATION_ERROR", "m"))
      }
      const operations = () => {
        const all = keyed("a", { input: "bad" }, "c")
        depends(all[2]!, all[1]!)
        return all
      }
      expect(outcomes(yield* harness.run({ operations: operations(), run, prepare }))).toEqual([
        "VALIDATION_ERROR",
        "X",
        "FAILED_DEPENDENCY",
      ])
      isValid = true
      const again = operations()
      depends(again[2]!)
      expect(outcomes(yield* harness.run({ operations: again, run, prepare }))).toEqual(["ok", "X", "ok"])
      expect(counts.get("a")).toBe(1)
      expect(counts.get("c")).toBe(1)
      // An operation that validation refused is not claimed.
      expect(harness.calls[0]!.items).toHaveLength(1)
    }),
  )

  it.effect("releases all keys of a batch that a policy refused", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      const { run, total } = countingHandler()
      const reason = new PolicyRefusal({ code: "RATE_LIMITED", status: 429, detail: "m", retryAfter: 1 })
      const policies: ReadonlyArray<BatchPolicy> = [
        { name: "no", admit: () => Effect.fail(new BatchError({ reason })) },
      ]
      yield* harness.run({ operations: keyed("done"), run })
      const refused = yield* harness.run({ operations: keyed("a", "done"), run, key: "k", options: { policies } })
      expect(refusalCode(refused)).toBe("RATE_LIMITED")
      const states = yield* Effect.promise(() => harness.states())
      expect([...states.values()].sort()).toEqual(["done", "released", "released"])
      const second = yield* harness.run({ operations: keyed({ key: "a", input: "else" }), run, key: "k" })
      expect(outcomes(second)).toEqual(["else1"])
      expect(total()).toBe(2)
    }),
  )

  it.effect("releases the keys of operations that a policy refused", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      const { run } = countingHandler()
      const limited = failure("RATE_LIMITED", "m")
      const admit: BatchPolicy["admit"] = ({ batch }) =>
        Effect.sync(() => {
          batch.operations[1]!.result = OperationResult.refused(limited)
        })
      const options = { policies: [{ name: "one", admit }] }
      expect(outcomes(yield* harness.run({ operations: keyed("a", "b"), run, options }))).toEqual([
        "a1",
        "RATE_LIMITED",
      ])
      expect(outcomes(yield* harness.run({ operations: keyed("a", "b"), run }))).toEqual(["replayed a1", "b1"])
    }),
  )

  it.effect("stores what ran and releases the rest when the client disconnects", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      const client = new AbortController()
      const { run } = countingHandler((input, count) => {
        if (input === "a") client.abort()
        return `${String(input)}${count}`
      })
      const options = { concurrency: 1 }
      expect(
        outcomes(yield* harness.run({ operations: keyed("a", "b"), run, options, signal: client.signal })),
      ).toEqual(["a1", "CANCELLED"])
      expect(outcomes(yield* harness.run({ operations: keyed("a", "b"), run }))).toEqual(["replayed a1", "b1"])
    }),
  )

  it.effect("stores what ended, keeps what started and releases the rest at the deadline", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      const { run, counts } = countingHandler((input, count) =>
        input === "b" && count === 1 ? neverAnswers() : `${String(input)}${count}`,
      )
      const options = { concurrency: 1 }
      const first = yield* harness.run({ operations: keyed("a", "b", "c"), run, options, limits: { deadline: 2000 } })
      expect(outcomes(first)).toEqual(["a1", "DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"])
      expect(outcomes(yield* harness.run({ operations: keyed("a", "b", "c"), run }))).toEqual([
        "replayed a1",
        "IDEMPOTENCY_IN_PROGRESS",
        "c1",
      ])
      yield* harness.advance(15_000, 1000)
      expect(outcomes(yield* harness.run({ operations: keyed("b"), run }))).toEqual(["b2"])
      expect(counts.get("a")).toBe(1)
    }),
  )

  it.effect("expires a result its lifetime after it was stored", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness({ ttlMs: 10_000 })
      const { run, total } = countingHandler((_, count) => new Promise((resolve) => setImmediate(() => resolve(count))))
      yield* harness.run({ operations: keyed("a"), run })
      const storedAt = harness.nowMs
      harness.nowMs = storedAt + 9_800
      yield* harness.run({ operations: keyed("a"), run })
      expect(total()).toBe(1)
    }),
  )
})

describe("the same key twice in one batch", () => {
  it.effect("runs once, and both get the result", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      const { run, counts } = countingHandler()
      const batch = () => keyed("a", "b", "a", "a")
      expect(outcomes(yield* harness.run({ operations: batch(), run }))).toEqual([
        "a1",
        "b1",
        "replayed a1",
        "replayed a1",
      ])
      expect(outcomes(yield* harness.run({ operations: batch(), run }))).toEqual([
        "replayed a1",
        "replayed b1",
        "replayed a1",
        "replayed a1",
      ])
      expect(counts.get("a")).toBe(1)
      expect(harness.calls[0]!.items).toHaveLength(2)
    }),
  )

  it.effect("with another request is refused the second time, in either order", () =>
    Effect.gen(function* () {
      for (const inputs of [
        [1, 2],
        [2, 1],
      ] as const) {
        const harness = new IdempotencyHarness()
        const { run, total } = countingHandler()
        const operations = keyed(
          { key: "a", input: inputs[0] },
          { key: "a", input: inputs[1] },
          { key: "a", input: inputs[0] },
        )
        expect(outcomes(yield* harness.run({ operations, run }))).toEqual([
          `${inputs[0]}1`,
          "IDEMPOTENCY_KEY_REUSED",
          `replayed ${inputs[0]}1`,
        ])
        expect(total()).toBe(1)
      }
    }),
  )

  it.effect("a thousand times runs once and is claimed once", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      const { run, counts } = countingHandler()
      const operations = keyed(...Array.from({ length: 1000 }, () => "a"))
      const ran = yield* harness.run({ operations, run })
      expect(outcomes(ran)).toEqual(["a1", ...Array.from({ length: 999 }, () => "replayed a1")])
      expect(counts.get("a")).toBe(1)
      expect(harness.calls.map(({ method, items }) => [method, items.length])).toEqual([
        ["acquire", 1],
        ["settle", 1],
      ])
    }),
  )

  it.effect("is left out of handler calls that operations share", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      const calls: Array<ReadonlyArray<unknown>> = []
      const runMany = (operations: ReadonlyArray<Operation>) => {
        calls.push(operations.map(({ input }) => input))
        return operations.map(({ input }) => OperationResult.success(input))
      }
      const ran = yield* harness.run({ operations: keyed("a", "b", "a", "c", "b"), runMany })
      expect(outcomes(ran)).toEqual(["a", "b", "replayed a", "c", "replayed b"])
      expect(calls.flat().sort()).toEqual(["a", "b", "c"])
    }),
  )

  const failures = [
    ["fails", notFound, ["NOT_FOUND", "replayed NOT_FOUND"]],
    ["fails temporarily", failure("X", "m", { status: 503 }), ["X", "X"]],
  ] as const

  for (const [name, answer, expected] of failures)
    it.effect(`does not run the second operation when the first one ${name}`, () =>
      Effect.gen(function* () {
        const harness = new IdempotencyHarness()
        const { run, total } = countingHandler(() => answer)
        expect(outcomes(yield* harness.run({ operations: keyed("a", "a"), run }))).toEqual(expected)
        expect(total()).toBe(1)
      }),
    )

  it.effect("times out for both operations", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      const { run, total } = countingHandler(() => neverAnswers())
      const ran = yield* harness.run({ operations: keyed("a", "a"), run, limits: { operationTimeout: 1000 } })
      expect(outcomes(ran)).toEqual(["TIMEOUT", "TIMEOUT"])
      expect(total()).toBe(1)
    }),
  )

  it.effect("is refused twice by validation, and not claimed", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      const prepare = async (operations: ReadonlyArray<Operation>) => {
        for (const operation of operations) operation.result = OperationResult.refused(failure("VALIDATION_ERROR", "m"))
      }
      expect(outcomes(yield* harness.run({ operations: keyed("a", "a"), prepare }))).toEqual([
        "VALIDATION_ERROR",
        "VALIDATION_ERROR",
      ])
      expect(harness.calls).toEqual([])
    }),
  )

  it.effect("fulfils dependencies, in the first batch and in a retry", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      const { run, counts } = countingHandler()
      const batch = () => {
        const operations = keyed("a", "a", { input: "c" })
        depends(operations[2]!, operations[1]!)
        return operations
      }
      expect(outcomes(yield* harness.run({ operations: batch(), run }))).toEqual(["a1", "replayed a1", "c1"])
      expect(outcomes(yield* harness.run({ operations: batch(), run }))).toEqual(["replayed a1", "replayed a1", "c2"])
      expect(counts.get("a")).toBe(1)
    }),
  )

  it.effect("is in progress for both operations when another request executes it", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      yield* harness.start({ operations: keyed("a"), run: neverAnswers })
      expect(outcomes(yield* harness.run({ operations: keyed("a", "a") }))).toEqual([
        "IDEMPOTENCY_IN_PROGRESS",
        "IDEMPOTENCY_IN_PROGRESS",
      ])
    }),
  )
})

describe("a batch with a key", () => {
  it.effect("is replayed as a whole when it is completed", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      const { run, total } = countingHandler((input) => (input === 1 ? notFound : `v${String(input)}`))
      const batch = () => ({ operations: keyed(undefined, undefined, undefined), run, key: "k" })
      const first = yield* harness.run(batch())
      expect({ completed: first.completed, outcomes: outcomes(first) }).toEqual({
        completed: false,
        outcomes: ["v0", "NOT_FOUND", "v2"],
      })
      const second = yield* harness.run(batch())
      expect({ completed: second.completed, outcomes: outcomes(second) }).toEqual({
        completed: true,
        outcomes: ["replayed v0", "replayed NOT_FOUND", "replayed v2"],
      })
      expect(total()).toBe(3)
      expect(harness.actions()).toEqual(["complete"])
    }),
  )

  it.effect("replays its final results and runs the other operations", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      const { run, counts } = countingHandler((input, count) =>
        input === 1 && count < 3 ? crashed : `${String(input)}${count}`,
      )
      const batch = () => ({ operations: keyed(undefined, undefined, undefined), run, key: "k" })
      expect(outcomes(yield* harness.run(batch()))).toEqual(["01", "INTERNAL", "21"])
      const second = yield* harness.run(batch())
      expect({ completed: second.completed, outcomes: outcomes(second) }).toEqual({
        completed: false,
        outcomes: ["replayed 01", "INTERNAL", "replayed 21"],
      })
      const third = yield* harness.run(batch())
      expect({ completed: third.completed, outcomes: outcomes(third) }).toEqual({
        completed: false,
        outcomes: ["replayed 01", "13", "replayed 21"],
      })
      const fourth = yield* harness.run(batch())
      expect({ completed: fourth.completed, outcomes: outcomes(fourth) }).toEqual({
        completed: true,
        outcomes: ["replayed 01", "replayed 13", "replayed 21"],
      })
      expect([...counts.values()]).toEqual([1, 3, 1])
    }),
  )

  it.effect("frees its key when no result is final", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      const { run } = countingHandler(() => crashed)
      yield* harness.run({ operations: keyed(undefined), run, key: "k" })
      expect(outcomes(yield* harness.run({ operations: keyed({ input: "else" }), key: "k" }))).toEqual(["done"])
    }),
  )

  it.effect("is completed even with replays of other batches and duplicate keys", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      const { run, counts } = countingHandler()
      yield* harness.run({ operations: keyed("a"), run })
      const batch = () => ({ operations: keyed("a", "b", "b", { input: "c" }), run, key: "k" })
      expect(outcomes(yield* harness.run(batch()))).toEqual(["replayed a1", "b1", "replayed b1", "c1"])
      const second = yield* harness.run(batch())
      expect({ completed: second.completed, outcomes: outcomes(second) }).toEqual({
        completed: true,
        outcomes: ["replayed a1", "replayed b1", "replayed b1", "replayed c1"],
      })
      expect([...counts.values()]).toEqual([1, 1, 1])
    }),
  )

  it.effect("may have operations whose key is the same as its own", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      const { run, total } = countingHandler()
      for (let round = 0; round < 2; round++) yield* harness.run({ operations: keyed("k", "j"), run, key: "k" })
      expect(total()).toBe(2)
    }),
  )

  const different: Readonly<Record<string, () => ReadonlyArray<Operation>>> = {
    "another input": () => keyed({ input: "x" }, { input: 1 }),
    "an additional operation": () => keyed({ input: 0 }, { input: 1 }, { input: 2 }),
    "a missing operation": () => keyed({ input: 0 }),
    "another order": () => keyed({ input: 1 }, { input: 0 }),
    "another key of an operation": () => keyed({ input: 0 }, { input: 1, key: "own" }),
    "another dependency": () => {
      const all = keyed({ input: 0 }, { input: 1 })
      depends(all[1]!, all[0]!)
      return all
    },
    "an operation in a group": () => keyed({ input: 0 }, { input: 1, group: "g" }),
    "inputs that concatenate to the same text": () => keyed({ input: [0, 1] }, { input: [] }),
  }

  for (const [name, other] of Object.entries(different))
    it.effect(`is refused with ${name}, and keeps its stored results`, () =>
      Effect.gen(function* () {
        const harness = new IdempotencyHarness()
        const { run, total } = countingHandler()
        const batch = () => ({ operations: keyed({ input: 0 }, { input: 1 }), run, key: "k" })
        yield* harness.run(batch())
        const refused = yield* harness.run({ operations: other(), run, key: "k" })
        expect({ code: refusalCode(refused), status: refused.refusal?.status }).toEqual({
          code: "IDEMPOTENCY_KEY_REUSED",
          status: 422,
        })
        expect((yield* harness.run(batch())).completed).toBe(true)
        expect(total()).toBe(2)
      }),
    )

  it.effect(
    "is refused with a retry time while another request executes it, and the keys of its operations are released",
    () =>
      Effect.gen(function* () {
        const harness = new IdempotencyHarness()
        yield* harness.start({ operations: keyed(undefined), run: neverAnswers, key: "k" })
        const refused = yield* harness.run({ operations: keyed(undefined), key: "k" })
        expect(refused.refusal?.reason).toMatchObject({ code: "IDEMPOTENCY_IN_PROGRESS", status: 409, retryAfter: 15 })
        const other = yield* harness.run({ operations: keyed("own"), key: "k" })
        expect(refusalCode(other)).toBe("IDEMPOTENCY_KEY_REUSED")
        expect(outcomes(yield* harness.run({ operations: keyed("own") }))).toEqual(["done"])
      }),
  )

  it.effect("is resumed when its process died and its lease ended: only the rest runs", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      const { run, counts } = countingHandler((input, count) =>
        input === 2 && count === 1 ? neverAnswers() : `${String(input)}${count}`,
      )
      const batch = () => ({
        operations: keyed(undefined, undefined, undefined, undefined),
        run,
        key: "k",
        options: { concurrency: 1 },
      })
      yield* harness.start(batch())
      yield* harness.advance(200)
      // From now on its process cannot reach the store.
      harness.behaviour = "unreachable"
      yield* harness.advance(2000)
      harness.next.acquire.push("works")
      expect(refusalCode(yield* harness.run(batch()))).toBe("IDEMPOTENCY_IN_PROGRESS")
      yield* harness.advance(15_000, 1000)
      harness.behaviour = "works"
      const second = yield* harness.run(batch())
      expect({ completed: second.completed, outcomes: outcomes(second) }).toEqual({
        completed: false,
        outcomes: ["replayed 01", "replayed 11", "22", "31"],
      })
      expect((yield* harness.run(batch())).completed).toBe(true)
      expect([...counts.values()]).toEqual([1, 1, 2, 1])
    }),
  )
})

describe("a damaged record", () => {
  it.effect("of an unfinished batch lets no operation run that may have run before", () =>
    Effect.gen(function* () {
      const cuts = [1, 5, 30, 60] as const
      for (const cut of cuts) {
        const harness = new IdempotencyHarness()
        const { run, counts } = countingHandler((input, count) =>
          input === 2 && count === 1 ? crashed : `${String(input)}${count}`,
        )
        const acquire = harness.store.acquire
        const damaged = {
          ...harness.store,
          acquire: async (...args: Parameters<typeof acquire>) => {
            const all = await acquire(...args)
            return all.map((each) => ("journal" in each ? { ...each, journal: each.journal.slice(0, -cut) } : each))
          },
        }
        const batch = () => ({ operations: keyed(undefined, undefined, undefined), run, key: "k" })
        yield* harness.run(batch())
        const second = yield* harness.run({ ...batch(), settings: { store: damaged } })
        const isWhole = cut < 40
        expect(outcomes(second)).toEqual([
          isWhole ? "replayed 01" : "OUTCOME_UNKNOWN",
          "OUTCOME_UNKNOWN",
          "OUTCOME_UNKNOWN",
        ])
        expect([...counts.values()]).toEqual([1, 1, 1])
      }
    }),
  )

  it.effect("of a completed batch is replayed as far as it can be read", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      const { run, total } = countingHandler()
      const acquire = harness.store.acquire
      const damaged = {
        ...harness.store,
        acquire: async (...args: Parameters<typeof acquire>) => {
          const all = await acquire(...args)
          return all.map((each) => (each._tag === "replay" ? { ...each, result: each.result.slice(0, 40) } : each))
        },
      }
      const batch = () => ({ operations: keyed(undefined, undefined), run, key: "k" })
      yield* harness.run(batch())
      expect(outcomes(yield* harness.run({ ...batch(), settings: { store: damaged } }))).toEqual([
        "replayed 01",
        "OUTCOME_UNKNOWN",
      ])
      expect(total()).toBe(2)
    }),
  )
})

describe("a store that cannot be reached", () => {
  it.effect("that claims keys after the timeout has them released", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness({ onAmbiguous: () => "hold" })
      harness.next.acquire.push("late")
      expect(refusalCode(yield* harness.run({ operations: keyed("a") }))).toBe("STORE_UNAVAILABLE")
      yield* harness.advance(3000)
      expect(outcomes(yield* harness.run({ operations: keyed("a") }))).toEqual(["done"])
    }),
  )

  const failures = ["unreachable", "answer lost", "no answer", "applied, no answer"] as const

  for (const behaviour of failures)
    it.effect(`refuses the batch when it claims keys (${behaviour})`, () =>
      Effect.gen(function* () {
        for (const mode of ["retry", "hold"] as const) {
          const harness = new IdempotencyHarness({ onAmbiguous: () => mode })
          const { run, total } = countingHandler()
          harness.next.acquire.push(behaviour)
          const refused = yield* harness.run({ operations: keyed("a", { input: "b" }), run, key: "k" })
          expect(refused.refusal?.reason).toMatchObject({ code: "STORE_UNAVAILABLE", status: 503, retryAfter: 1 })
          expect(total()).toBe(0)
          yield* harness.advance(100)
          // Keys that the store may have claimed were released.
          expect(outcomes(yield* harness.run({ operations: keyed("a", { input: "b" }), run, key: "k" }))).toEqual([
            "a1",
            "b1",
          ])
        }
      }),
    )

  it.effect("runs batches unrecorded where it fails open", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness({ onStoreError: "allow" })
      const { run, total } = countingHandler()
      harness.behaviour = "unreachable"
      const ran = yield* harness.run({ operations: keyed("a"), run, key: "k" })
      expect({ outcomes: outcomes(ran), unrecorded: ran.unrecorded, completed: ran.completed }).toEqual({
        outcomes: ["a1"],
        unrecorded: true,
        completed: false,
      })
      expect(total()).toBe(1)
      const without = yield* harness.run({ operations: keyed(undefined), run })
      expect(without.unrecorded).toBe(false)
    }),
  )

  it.effect("does not affect batches without keys", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      harness.behaviour = "unreachable"
      expect(outcomes(yield* harness.run({ operations: keyed(undefined) }))).toEqual(["done"])
      expect(harness.calls).toEqual([])
    }),
  )

  for (const behaviour of failures)
    it.effect(`answers a batch whose results it records later (${behaviour})`, () =>
      Effect.gen(function* () {
        const harness = new IdempotencyHarness()
        const { run, counts } = countingHandler()
        const batch = () => ({ operations: keyed("a", { input: "b" }), run, key: "k" })
        harness.next.settle.push(behaviour, behaviour)
        const ran = yield* harness.run(batch())
        expect({ outcomes: outcomes(ran), unrecorded: ran.unrecorded }).toEqual({
          outcomes: ["a1", "b1"],
          unrecorded: true,
        })
        yield* harness.advance(14_000, 500)
        const second = yield* harness.run(batch())
        expect({ completed: second.completed, outcomes: outcomes(second), unrecorded: second.unrecorded }).toEqual({
          completed: true,
          outcomes: ["replayed a1", "replayed b1"],
          unrecorded: false,
        })
        expect([...counts.values()]).toEqual([1, 1])
      }),
    )

  it.effect("for the length of a lease leaves the keys claimed until the lease ends", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      const { run, counts } = countingHandler()
      harness.behaviour = "unreachable"
      harness.next.acquire.push("works")
      yield* harness.run({ operations: keyed("a"), run })
      yield* harness.advance(14_000, 500)
      const asked = harness.count("settle")
      yield* harness.advance(10_000, 500)
      expect(harness.count("settle") - asked).toBeLessThanOrEqual(2)
      harness.behaviour = "works"
      expect(outcomes(yield* harness.run({ operations: keyed("a"), run }))).toEqual(["a2"])
      expect(counts.get("a")).toBe(2)
    }),
  )
})

describe("an operation in the mode `hold`", () => {
  it.effect("does not run again after an unknown outcome, until an operator decides", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness({ onAmbiguous: () => "hold" })
      const { run, counts } = countingHandler(() => crashed)
      yield* harness.run({ operations: keyed("a"), run })
      yield* harness.advance(20_000, 1000)
      const second = yield* harness.run({ operations: keyed("a"), run })
      expect(outcomes(second)).toEqual(["OUTCOME_UNKNOWN"])
      expect(second.operations[0]!.result?.failure).toMatchObject({ status: 409, retryable: false })
      const { key } = harness.calls[0]!.items[0]!
      expect(yield* Effect.promise(() => harness.memory.resolve(key, "forget"))).toBe(true)
      yield* harness.run({ operations: keyed("a"), run })
      expect(counts.get("a")).toBe(2)
    }),
  )

  it.effect("is held alone in a batch with a key, whose other operations are replayed or run", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness({ onAmbiguous: ({ input }) => (input === "safe" ? "retry" : "hold") })
      let isValid = false
      const { run, counts } = countingHandler((input, count) =>
        input === "odd" ? crashed : input === "safe" && count === 1 ? crashed : `${String(input)}${count}`,
      )
      const batch = () => ({
        operations: keyed({ input: "ok" }, { input: "odd" }, { input: "invalid" }, { input: "safe" }),
        run,
        key: "k",
        prepare: async (operations: ReadonlyArray<Operation>) => {
          if (!isValid) operations[2]!.result = OperationResult.refused(failure("VALIDATION_ERROR", "m"))
        },
      })
      expect(outcomes(yield* harness.run(batch()))).toEqual(["ok1", "INTERNAL", "VALIDATION_ERROR", "INTERNAL"])
      yield* harness.advance(20_000, 1000)
      isValid = true
      const second = yield* harness.run(batch())
      expect({ completed: second.completed, outcomes: outcomes(second) }).toEqual({
        completed: false,
        outcomes: ["replayed ok1", "OUTCOME_UNKNOWN", "invalid1", "safe2"],
      })
      expect(counts.get("odd")).toBe(1)
    }),
  )

  it.effect("is released at once if it did not start", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness({ onAmbiguous: () => "hold" })
      const client = new AbortController()
      client.abort()
      yield* harness.run({ operations: keyed("a"), signal: client.signal, key: "k" })
      expect(outcomes(yield* harness.run({ operations: keyed("a"), key: "k" }))).toEqual(["done"])
    }),
  )
})
