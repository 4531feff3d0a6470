import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { BatchError } from "../../src/batch/BatchError.ts"
import { PolicyRefusal } from "../../src/batch/RefusalReason.ts"
import { failure } from "../../src/batch/Failure.ts"
import type { Operation } from "../../src/batch/Operation.ts"
import { OperationResult } from "../../src/batch/OperationResult.ts"
import type { BatchPolicy } from "../../src/execution/BatchPolicy.ts"
import { code, counting, crashed, keyed, never, notFound, told, World } from "../support/idempotency.ts"

const depends = (operation: Operation, ...on: ReadonlyArray<Operation>): Operation =>
  Object.assign(operation, { dependsOn: on.map((each) => ({ operation: each, accept: [] })) })

describe("an operation with a key", () => {
  it.effect("runs once, and a retry gets its result", () =>
    Effect.gen(function* () {
      const world = new World()
      const { run, counts } = counting()
      expect(told(yield* world.run({ operations: keyed("a", "b"), run }))).toEqual(["a1", "b1"])
      expect(told(yield* world.run({ operations: keyed("b", "a", "c"), run }))).toEqual(["=b1", "=a1", "c1"])
      expect(counts).toEqual(
        new Map([
          ["a", 1],
          ["b", 1],
          ["c", 1],
        ]),
      )
    }),
  )

  it.effect("is another one for another tenant, at another endpoint, and as the key of a batch", () =>
    Effect.gen(function* () {
      const world = new World()
      const { run, counts } = counting()
      yield* world.run({ operations: keyed("a"), run })
      yield* world.run({ operations: keyed("a"), run, tenant: "u" })
      yield* world.run({ operations: keyed("a"), run, options: { endpoint: "others" } })
      yield* world.run({ operations: keyed({ input: "a" }), run, key: "a" })
      expect(counts.get("a")).toBe(4)
    }),
  )

  it.effect("cannot be spelt so that it is another tenant's, another endpoint's or a batch's", () =>
    Effect.gen(function* () {
      const world = new World()
      const { run, counts } = counting(() => "x")
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
        yield* world.run({ operations: keyed({ k: key, input: "same" }), run, tenant, options: { endpoint } })
      }
      expect(counts.get("same")).toBe(spellings.length)
    }),
  )

  it.effect("may be anything that objects inherit", () =>
    Effect.gen(function* () {
      const world = new World()
      const { run, total } = counting()
      const names = ["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf"]
      for (let round = 0; round < 2; round++) yield* world.run({ operations: keyed(...names), run, key: "__proto__" })
      for (let round = 0; round < 2; round++) yield* world.run({ operations: keyed(...names), run })
      expect(total()).toBe(names.length)
    }),
  )

  it.effect("is refused for another payload, which leaves what is stored as it is", () =>
    Effect.gen(function* () {
      const world = new World()
      const { run } = counting()
      yield* world.run({ operations: keyed({ k: "a", input: 1 }), run })
      const others = [{ input: "1" }, { input: 2 }, { input: 1, action: "delete" }, { input: 1, id: "u_1" }]
      for (const other of others) {
        expect(told(yield* world.run({ operations: keyed({ k: "a", ...other }), run }))).toEqual([
          "IDEMPOTENCY_KEY_REUSED",
        ])
      }
      expect(told(yield* world.run({ operations: keyed({ k: "a", input: 1 }), run }))).toEqual(["=11"])
    }),
  )

  it.effect("that is being executed is 409 elsewhere, with the seconds that its lease has left", () =>
    Effect.gen(function* () {
      const world = new World()
      yield* world.start({ operations: keyed("a"), run: never })
      const second = yield* world.run({ operations: keyed("a", "b") })
      expect(told(second)).toEqual(["IDEMPOTENCY_IN_PROGRESS", "done"])
      expect(second.operations[0]!.result?.failure).toMatchObject({ status: 409, retryable: true, retryAfter: 15 })
      // A mismatch is told before that: it never becomes anything else.
      expect(told(yield* world.run({ operations: keyed({ k: "a", input: "else" }) }))).toEqual([
        "IDEMPOTENCY_KEY_REUSED",
      ])
    }),
  )

  it.effect("is free again when its results are forgotten", () =>
    Effect.gen(function* () {
      const world = new World({ ttlMs: 60_000 })
      const { run, counts } = counting()
      yield* world.run({ operations: keyed("a"), run })
      world.nowMs += 59_999
      yield* world.run({ operations: keyed("a"), run })
      expect(counts.get("a")).toBe(1)
      world.nowMs += 1
      yield* world.run({ operations: keyed("a"), run })
      expect(counts.get("a")).toBe(2)
    }),
  )
})

describe("what is stored", () => {
  const answers: Readonly<Record<string, readonly [unknown, "stored" | "free"]>> = {
    "a value": ["v", "stored"],
    nothing: [undefined, "stored"],
    null: [null, "stored"],
    "a failure of the application's": [failure("ODD", "m"), "stored"],
    "404": [notFound, "stored"],
    "409": [failure("CONFLICT", "m"), "stored"],
    "400": [failure("X", "m", { status: 400 }), "stored"],
    "408": [failure("X", "m", { status: 408 }), "free"],
    "425": [failure("X", "m", { status: 425 }), "free"],
    "429": [failure("RATE_LIMITED", "m"), "free"],
    "500": [failure("INTERNAL", "m"), "free"],
    "503": [failure("X", "m", { status: 503 }), "free"],
    "a refusal before it ran": [OperationResult.refused(notFound), "free"],
    "that it was skipped": [OperationResult.skipped(failure("UNRESOLVED_REFERENCE", "m")), "free"],
  }

  for (const [name, [answer, fate]] of Object.entries(answers))
    it.effect(`of ${name}`, () =>
      Effect.gen(function* () {
        for (const key of [undefined, "batch"]) {
          const world = new World()
          const { run, total } = counting(() => answer)
          const operations = () => (key === undefined ? keyed("a") : keyed(undefined))
          const first = yield* world.run({ operations: operations(), run, key })
          const second = yield* world.run({ operations: operations(), run, key })
          expect(total()).toBe(fate === "stored" ? 1 : 2)
          expect(second.completed).toBe(key !== undefined && fate === "stored")
          expect(second.operations[0]!.result).toEqual({
            ...first.operations[0]!.result,
            ...(fate === "stored" && { replayed: true, answered: true }),
          })
        }
      }),
    )

  it.effect("is not what was refused by validation, as an unknown action, or for a dependency", () =>
    Effect.gen(function* () {
      const world = new World()
      const { run, counts } = counting((input) => (input === "bad" ? failure("X", "m", { status: 500 }) : "ok"))
      let isValid = false
      const prepare = async (operations: ReadonlyArray<Operation>) => {
        if (!isValid) operations[0]!.result = OperationResult.refused(failure("VALIDATION_ERROR", "m"))
      }
      const operations = () => {
        const all = keyed("a", { input: "bad" }, "c")
        depends(all[2]!, all[1]!)
        return all
      }
      expect(told(yield* world.run({ operations: operations(), run, prepare }))).toEqual([
        "VALIDATION_ERROR",
        "X",
        "FAILED_DEPENDENCY",
      ])
      isValid = true
      const again = operations()
      depends(again[2]!)
      expect(told(yield* world.run({ operations: again, run, prepare }))).toEqual(["ok", "X", "ok"])
      expect(counts.get("a")).toBe(1)
      expect(counts.get("c")).toBe(1)
      // What was never claimed was never written.
      expect(world.asked[0]!.items).toHaveLength(1)
    }),
  )

  it.effect("is nothing of a batch that a later policy refused: its keys are free for anything", () =>
    Effect.gen(function* () {
      const world = new World()
      const { run, total } = counting()
      const reason = new PolicyRefusal({ code: "RATE_LIMITED", status: 429, detail: "m", retryAfter: 1 })
      const policies: ReadonlyArray<BatchPolicy> = [
        { name: "no", admit: () => Effect.fail(new BatchError({ reason })) },
      ]
      yield* world.run({ operations: keyed("done"), run })
      const refused = yield* world.run({ operations: keyed("a", "done"), run, key: "k", options: { policies } })
      expect(code(refused)).toBe("RATE_LIMITED")
      const states = yield* Effect.promise(() => world.states())
      expect([...states.values()].sort()).toEqual(["done", "released", "released"])
      const second = yield* world.run({ operations: keyed({ k: "a", input: "else" }), run, key: "k" })
      expect(told(second)).toEqual(["else1"])
      expect(total()).toBe(2)
    }),
  )

  it.effect("is nothing of single operations that a later policy refused", () =>
    Effect.gen(function* () {
      const world = new World()
      const { run } = counting()
      const limited = failure("RATE_LIMITED", "m")
      const admit: BatchPolicy["admit"] = ({ batch }) =>
        Effect.sync(() => {
          batch.operations[1]!.result = OperationResult.refused(limited)
        })
      const options = { policies: [{ name: "one", admit }] }
      expect(told(yield* world.run({ operations: keyed("a", "b"), run, options }))).toEqual(["a1", "RATE_LIMITED"])
      expect(told(yield* world.run({ operations: keyed("a", "b"), run }))).toEqual(["=a1", "b1"])
    }),
  )

  it.effect("of a client that went away is what ran; the rest is free", () =>
    Effect.gen(function* () {
      const world = new World()
      const gone = new AbortController()
      const { run } = counting((input, count) => {
        if (input === "a") gone.abort()
        return `${String(input)}${count}`
      })
      const options = { concurrency: 1 }
      expect(told(yield* world.run({ operations: keyed("a", "b"), run, options, gone: gone.signal }))).toEqual([
        "a1",
        "CANCELLED",
      ])
      expect(told(yield* world.run({ operations: keyed("a", "b"), run }))).toEqual(["=a1", "b1"])
    }),
  )

  it.effect("at the deadline: what ended is stored, what began stays taken, and what did not is free", () =>
    Effect.gen(function* () {
      const world = new World()
      const { run, counts } = counting((input, count) =>
        input === "b" && count === 1 ? never() : `${String(input)}${count}`,
      )
      const options = { concurrency: 1 }
      const first = yield* world.run({ operations: keyed("a", "b", "c"), run, options, limits: { deadline: 2000 } })
      expect(told(first)).toEqual(["a1", "DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"])
      expect(told(yield* world.run({ operations: keyed("a", "b", "c"), run }))).toEqual([
        "=a1",
        "IDEMPOTENCY_IN_PROGRESS",
        "c1",
      ])
      yield* world.pass(15_000, 1000)
      expect(told(yield* world.run({ operations: keyed("b"), run }))).toEqual(["b2"])
      expect(counts.get("a")).toBe(1)
    }),
  )

  it.effect("is kept for as long as a result is from when it is stored", () =>
    Effect.gen(function* () {
      const world = new World({ ttlMs: 10_000 })
      const { run, total } = counting((_, count) => new Promise((resolve) => setImmediate(() => resolve(count))))
      yield* world.run({ operations: keyed("a"), run })
      const storedAt = world.nowMs
      world.nowMs = storedAt + 9_800
      yield* world.run({ operations: keyed("a"), run })
      expect(total()).toBe(1)
    }),
  )
})

describe("the same key twice in one batch", () => {
  it.effect("runs once, and both get the result", () =>
    Effect.gen(function* () {
      const world = new World()
      const { run, counts } = counting()
      const batch = () => keyed("a", "b", "a", "a")
      expect(told(yield* world.run({ operations: batch(), run }))).toEqual(["a1", "b1", "=a1", "=a1"])
      expect(told(yield* world.run({ operations: batch(), run }))).toEqual(["=a1", "=b1", "=a1", "=a1"])
      expect(counts.get("a")).toBe(1)
      expect(world.asked[0]!.items).toHaveLength(2)
    }),
  )

  it.effect("with another payload is refused the second time, in either order", () =>
    Effect.gen(function* () {
      for (const inputs of [
        [1, 2],
        [2, 1],
      ] as const) {
        const world = new World()
        const { run, total } = counting()
        const operations = keyed(
          { k: "a", input: inputs[0] },
          { k: "a", input: inputs[1] },
          { k: "a", input: inputs[0] },
        )
        expect(told(yield* world.run({ operations, run }))).toEqual([
          `${inputs[0]}1`,
          "IDEMPOTENCY_KEY_REUSED",
          `=${inputs[0]}1`,
        ])
        expect(total()).toBe(1)
      }
    }),
  )

  it.effect("a thousand times runs once and is claimed once", () =>
    Effect.gen(function* () {
      const world = new World()
      const { run, counts } = counting()
      const operations = keyed(...Array.from({ length: 1000 }, () => "a"))
      const ran = yield* world.run({ operations, run })
      expect(told(ran)).toEqual(["a1", ...Array.from({ length: 999 }, () => "=a1")])
      expect(counts.get("a")).toBe(1)
      expect(world.asked.map(({ call, items }) => [call, items.length])).toEqual([
        ["acquire", 1],
        ["settle", 1],
      ])
    }),
  )

  it.effect("stays out of the calls that others share", () =>
    Effect.gen(function* () {
      const world = new World()
      const calls: Array<ReadonlyArray<unknown>> = []
      const runMany = (operations: ReadonlyArray<Operation>) => {
        calls.push(operations.map(({ input }) => input))
        return operations.map(({ input }) => OperationResult.success(input))
      }
      const ran = yield* world.run({ operations: keyed("a", "b", "a", "c", "b"), runMany })
      expect(told(ran)).toEqual(["a", "b", "=a", "c", "=b"])
      expect(calls.flat().sort()).toEqual(["a", "b", "c"])
    }),
  )

  const failures = [
    ["fails", notFound, ["NOT_FOUND", "=NOT_FOUND"]],
    ["fails so that it may be tried again", failure("X", "m", { status: 503 }), ["X", "X"]],
  ] as const

  for (const [name, answer, expected] of failures)
    it.effect(`where the first ${name} is not run either`, () =>
      Effect.gen(function* () {
        const world = new World()
        const { run, total } = counting(() => answer)
        expect(told(yield* world.run({ operations: keyed("a", "a"), run }))).toEqual(expected)
        expect(total()).toBe(1)
      }),
    )

  it.effect("where the first takes too long ends as it does", () =>
    Effect.gen(function* () {
      const world = new World()
      const { run, total } = counting(() => never())
      const ran = yield* world.run({ operations: keyed("a", "a"), run, limits: { operationTimeout: 1000 } })
      expect(told(ran)).toEqual(["TIMEOUT", "TIMEOUT"])
      expect(total()).toBe(1)
    }),
  )

  it.effect("where validation refuses it is refused twice, and claims nothing", () =>
    Effect.gen(function* () {
      const world = new World()
      const prepare = async (operations: ReadonlyArray<Operation>) => {
        for (const operation of operations) operation.result = OperationResult.refused(failure("VALIDATION_ERROR", "m"))
      }
      expect(told(yield* world.run({ operations: keyed("a", "a"), prepare }))).toEqual([
        "VALIDATION_ERROR",
        "VALIDATION_ERROR",
      ])
      expect(world.asked).toEqual([])
    }),
  )

  it.effect("counts as good for what depends on it, in the first batch and in a retry", () =>
    Effect.gen(function* () {
      const world = new World()
      const { run, counts } = counting()
      const batch = () => {
        const operations = keyed("a", "a", { input: "c" })
        depends(operations[2]!, operations[1]!)
        return operations
      }
      expect(told(yield* world.run({ operations: batch(), run }))).toEqual(["a1", "=a1", "c1"])
      expect(told(yield* world.run({ operations: batch(), run }))).toEqual(["=a1", "=a1", "c2"])
      expect(counts.get("a")).toBe(1)
    }),
  )

  it.effect("that is in progress elsewhere is so for both", () =>
    Effect.gen(function* () {
      const world = new World()
      yield* world.start({ operations: keyed("a"), run: never })
      expect(told(yield* world.run({ operations: keyed("a", "a") }))).toEqual([
        "IDEMPOTENCY_IN_PROGRESS",
        "IDEMPOTENCY_IN_PROGRESS",
      ])
    }),
  )
})

describe("a batch with a key", () => {
  it.effect("that is done is replayed as a whole", () =>
    Effect.gen(function* () {
      const world = new World()
      const { run, total } = counting((input) => (input === 1 ? notFound : `v${String(input)}`))
      const batch = () => ({ operations: keyed(undefined, undefined, undefined), run, key: "k" })
      const first = yield* world.run(batch())
      expect([first.completed, told(first)]).toEqual([false, ["v0", "NOT_FOUND", "v2"]])
      const second = yield* world.run(batch())
      expect([second.completed, told(second)]).toEqual([true, ["=v0", "=NOT_FOUND", "=v2"]])
      expect(total()).toBe(3)
      expect(world.actions()).toEqual(["complete"])
    }),
  )

  it.effect("of which some results are not final replays the others and runs those", () =>
    Effect.gen(function* () {
      const world = new World()
      const { run, counts } = counting((input, count) =>
        input === 1 && count < 3 ? crashed : `${String(input)}${count}`,
      )
      const batch = () => ({ operations: keyed(undefined, undefined, undefined), run, key: "k" })
      expect(told(yield* world.run(batch()))).toEqual(["01", "INTERNAL", "21"])
      const second = yield* world.run(batch())
      expect([second.completed, told(second)]).toEqual([false, ["=01", "INTERNAL", "=21"]])
      const third = yield* world.run(batch())
      expect([third.completed, told(third)]).toEqual([false, ["=01", "13", "=21"]])
      const fourth = yield* world.run(batch())
      expect([fourth.completed, told(fourth)]).toEqual([true, ["=01", "=13", "=21"]])
      expect([...counts.values()]).toEqual([1, 3, 1])
    }),
  )

  it.effect("of which nothing is final is free for anything else", () =>
    Effect.gen(function* () {
      const world = new World()
      const { run } = counting(() => crashed)
      yield* world.run({ operations: keyed(undefined), run, key: "k" })
      expect(told(yield* world.run({ operations: keyed({ input: "else" }), key: "k" }))).toEqual(["done"])
    }),
  )

  it.effect("holds operations that run once and twice, replays of other batches, and is still done", () =>
    Effect.gen(function* () {
      const world = new World()
      const { run, counts } = counting()
      yield* world.run({ operations: keyed("a"), run })
      const batch = () => ({ operations: keyed("a", "b", "b", { input: "c" }), run, key: "k" })
      expect(told(yield* world.run(batch()))).toEqual(["=a1", "b1", "=b1", "c1"])
      const second = yield* world.run(batch())
      expect([second.completed, told(second)]).toEqual([true, ["=a1", "=b1", "=b1", "=c1"]])
      expect([...counts.values()]).toEqual([1, 1, 1])
    }),
  )

  it.effect("and operations with equal keys are no clash", () =>
    Effect.gen(function* () {
      const world = new World()
      const { run, total } = counting()
      for (let round = 0; round < 2; round++) yield* world.run({ operations: keyed("k", "j"), run, key: "k" })
      expect(total()).toBe(2)
    }),
  )

  const different: Readonly<Record<string, () => ReadonlyArray<Operation>>> = {
    "another input": () => keyed({ input: "x" }, { input: 1 }),
    "one operation more": () => keyed({ input: 0 }, { input: 1 }, { input: 2 }),
    "one operation less": () => keyed({ input: 0 }),
    "another order": () => keyed({ input: 1 }, { input: 0 }),
    "another key of an operation": () => keyed({ input: 0 }, { input: 1, k: "own" }),
    "another dependency": () => {
      const all = keyed({ input: 0 }, { input: 1 })
      depends(all[1]!, all[0]!)
      return all
    },
    "an operation in a group": () => keyed({ input: 0 }, { input: 1, group: "g" }),
    "inputs that are put together alike": () => keyed({ input: [0, 1] }, { input: [] }),
  }

  for (const [name, other] of Object.entries(different))
    it.effect(`is refused with ${name}, and what is stored stays as it is`, () =>
      Effect.gen(function* () {
        const world = new World()
        const { run, total } = counting()
        const batch = () => ({ operations: keyed({ input: 0 }, { input: 1 }), run, key: "k" })
        yield* world.run(batch())
        const refused = yield* world.run({ operations: other(), run, key: "k" })
        expect([code(refused), refused.refusal?.status]).toEqual(["IDEMPOTENCY_KEY_REUSED", 422])
        expect((yield* world.run(batch())).completed).toBe(true)
        expect(total()).toBe(2)
      }),
    )

  it.effect("that is being executed is refused with when to come back, and gives back the keys of its operations", () =>
    Effect.gen(function* () {
      const world = new World()
      yield* world.start({ operations: keyed(undefined), run: never, key: "k" })
      const refused = yield* world.run({ operations: keyed(undefined), key: "k" })
      expect(refused.refusal?.reason).toMatchObject({ code: "IDEMPOTENCY_IN_PROGRESS", status: 409, retryAfter: 15 })
      const other = yield* world.run({ operations: keyed("own"), key: "k" })
      expect(code(other)).toBe("IDEMPOTENCY_KEY_REUSED")
      expect(told(yield* world.run({ operations: keyed("own") }))).toEqual(["done"])
    }),
  )

  it.effect("whose process died half-way runs only the rest, once its lease is over", () =>
    Effect.gen(function* () {
      const world = new World()
      const { run, counts } = counting((input, count) =>
        input === 2 && count === 1 ? never() : `${String(input)}${count}`,
      )
      const batch = () => ({
        operations: keyed(undefined, undefined, undefined, undefined),
        run,
        key: "k",
        options: { concurrency: 1 },
      })
      yield* world.start(batch())
      yield* world.pass(200)
      // Nothing is heard of it any more.
      world.manner = "before"
      yield* world.pass(2000)
      world.manners.acquire.push("good")
      expect(code(yield* world.run(batch()))).toBe("IDEMPOTENCY_IN_PROGRESS")
      yield* world.pass(15_000, 1000)
      world.manner = "good"
      const second = yield* world.run(batch())
      expect([second.completed, told(second)]).toEqual([false, ["=01", "=11", "22", "31"]])
      expect((yield* world.run(batch())).completed).toBe(true)
      expect([...counts.values()]).toEqual([1, 1, 2, 1])
    }),
  )
})

describe("a record that was damaged", () => {
  it.effect("while the batch was done in part runs nothing that may have run", () =>
    Effect.gen(function* () {
      const cuts = [1, 5, 30, 60] as const
      for (const cut of cuts) {
        const world = new World()
        const { run, counts } = counting((input, count) =>
          input === 2 && count === 1 ? crashed : `${String(input)}${count}`,
        )
        const acquire = world.store.acquire
        const damaged = {
          ...world.store,
          acquire: async (...args: Parameters<typeof acquire>) => {
            const all = await acquire(...args)
            return all.map((each) => ("journal" in each ? { ...each, journal: each.journal.slice(0, -cut) } : each))
          },
        }
        const batch = () => ({ operations: keyed(undefined, undefined, undefined), run, key: "k" })
        yield* world.run(batch())
        const second = yield* world.run({ ...batch(), settings: { store: damaged } })
        const isWhole = cut < 40
        expect(told(second)).toEqual([isWhole ? "=01" : "OUTCOME_UNKNOWN", "OUTCOME_UNKNOWN", "OUTCOME_UNKNOWN"])
        expect([...counts.values()]).toEqual([1, 1, 1])
      }
    }),
  )

  it.effect("after the batch was done replays what is left of it", () =>
    Effect.gen(function* () {
      const world = new World()
      const { run, total } = counting()
      const acquire = world.store.acquire
      const damaged = {
        ...world.store,
        acquire: async (...args: Parameters<typeof acquire>) => {
          const all = await acquire(...args)
          return all.map((each) => (each._tag === "replay" ? { ...each, result: each.result.slice(0, 40) } : each))
        },
      }
      const batch = () => ({ operations: keyed(undefined, undefined), run, key: "k" })
      yield* world.run(batch())
      expect(told(yield* world.run({ ...batch(), settings: { store: damaged } }))).toEqual(["=01", "OUTCOME_UNKNOWN"])
      expect(total()).toBe(2)
    }),
  )
})

describe("a store that cannot be reached", () => {
  it.effect("and claims after nobody waits any more has that given back", () =>
    Effect.gen(function* () {
      const world = new World({ onAmbiguous: () => "hold" })
      world.manners.acquire.push("late")
      expect(code(yield* world.run({ operations: keyed("a") }))).toBe("STORE_UNAVAILABLE")
      yield* world.pass(3000)
      expect(told(yield* world.run({ operations: keyed("a") }))).toEqual(["done"])
    }),
  )

  const bad = ["before", "lost", "dead", "hang"] as const

  for (const manner of bad)
    it.effect(`refuses the batch when claiming goes ${manner}`, () =>
      Effect.gen(function* () {
        for (const mode of ["retry", "hold"] as const) {
          const world = new World({ onAmbiguous: () => mode })
          const { run, total } = counting()
          world.manners.acquire.push(manner)
          const refused = yield* world.run({ operations: keyed("a", { input: "b" }), run, key: "k" })
          expect(refused.refusal?.reason).toMatchObject({ code: "STORE_UNAVAILABLE", status: 503, retryAfter: 1 })
          expect(total()).toBe(0)
          yield* world.pass(100)
          // What it may have claimed all the same was given back.
          expect(told(yield* world.run({ operations: keyed("a", { input: "b" }), run, key: "k" }))).toEqual([
            "a1",
            "b1",
          ])
        }
      }),
    )

  it.effect("lets batches run where that was chosen, and says that they are not recorded", () =>
    Effect.gen(function* () {
      const world = new World({ onStoreError: "allow" })
      const { run, total } = counting()
      world.manner = "before"
      const ran = yield* world.run({ operations: keyed("a"), run, key: "k" })
      expect([told(ran), ran.unrecorded, ran.completed]).toEqual([["a1"], true, false])
      expect(total()).toBe(1)
      const without = yield* world.run({ operations: keyed(undefined), run })
      expect(without.unrecorded).toBe(false)
    }),
  )

  it.effect("does not concern batches without keys", () =>
    Effect.gen(function* () {
      const world = new World()
      world.manner = "before"
      expect(told(yield* world.run({ operations: keyed(undefined) }))).toEqual(["done"])
      expect(world.asked).toEqual([])
    }),
  )

  for (const manner of bad)
    it.effect(`when settling goes ${manner}: the answer is given, and recorded later`, () =>
      Effect.gen(function* () {
        const world = new World()
        const { run, counts } = counting()
        const batch = () => ({ operations: keyed("a", { input: "b" }), run, key: "k" })
        world.manners.settle.push(manner, manner)
        const ran = yield* world.run(batch())
        expect([told(ran), ran.unrecorded]).toEqual([["a1", "b1"], true])
        yield* world.pass(14_000, 500)
        const second = yield* world.run(batch())
        expect([second.completed, told(second), second.unrecorded]).toEqual([true, ["=a1", "=b1"], false])
        expect([...counts.values()]).toEqual([1, 1])
      }),
    )

  it.effect("for good leaves the keys taken until the lease is over", () =>
    Effect.gen(function* () {
      const world = new World()
      const { run, counts } = counting()
      world.manner = "before"
      world.manners.acquire.push("good")
      yield* world.run({ operations: keyed("a"), run })
      yield* world.pass(14_000, 500)
      const asked = world.count("settle")
      yield* world.pass(10_000, 500)
      expect(world.count("settle") - asked).toBeLessThanOrEqual(2)
      world.manner = "good"
      expect(told(yield* world.run({ operations: keyed("a"), run }))).toEqual(["a2"])
      expect(counts.get("a")).toBe(2)
    }),
  )
})

describe("what must not be run twice", () => {
  it.effect("is not, where nobody knows what became of it, until somebody says", () =>
    Effect.gen(function* () {
      const world = new World({ onAmbiguous: () => "hold" })
      const { run, counts } = counting(() => crashed)
      yield* world.run({ operations: keyed("a"), run })
      yield* world.pass(20_000, 1000)
      const second = yield* world.run({ operations: keyed("a"), run })
      expect(told(second)).toEqual(["OUTCOME_UNKNOWN"])
      expect(second.operations[0]!.result?.failure).toMatchObject({ status: 409, retryable: false })
      const { key } = world.asked[0]!.items[0]!
      expect(yield* Effect.promise(() => world.memory.resolve(key, "forget"))).toBe(true)
      yield* world.run({ operations: keyed("a"), run })
      expect(counts.get("a")).toBe(2)
    }),
  )

  it.effect("in a batch with a key is held alone: what is done is replayed, and what did not begin runs", () =>
    Effect.gen(function* () {
      const world = new World({ onAmbiguous: ({ input }) => (input === "safe" ? "retry" : "hold") })
      let isValid = false
      const { run, counts } = counting((input, count) =>
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
      expect(told(yield* world.run(batch()))).toEqual(["ok1", "INTERNAL", "VALIDATION_ERROR", "INTERNAL"])
      yield* world.pass(20_000, 1000)
      isValid = true
      const second = yield* world.run(batch())
      expect([second.completed, told(second)]).toEqual([false, ["=ok1", "OUTCOME_UNKNOWN", "invalid1", "safe2"]])
      expect(counts.get("odd")).toBe(1)
    }),
  )

  it.effect("is free at once if it never began", () =>
    Effect.gen(function* () {
      const world = new World({ onAmbiguous: () => "hold" })
      const gone = new AbortController()
      gone.abort()
      yield* world.run({ operations: keyed("a"), gone: gone.signal, key: "k" })
      expect(told(yield* world.run({ operations: keyed("a"), key: "k" }))).toEqual(["done"])
    }),
  )
})
