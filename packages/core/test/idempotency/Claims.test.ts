import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { failure } from "../../src/batch/Failure.ts"
import type { Operation } from "../../src/batch/Operation.ts"
import { OperationResult } from "../../src/batch/OperationResult.ts"
import { atomic } from "../support/atomic.ts"
import { ScriptedDatabase, type ScriptedTransaction, transient } from "../support/ScriptedDatabase.ts"
import {
  refusalCode,
  countingHandler,
  crashed,
  keyed,
  neverAnswers,
  notFound,
  idle,
  outcomes,
  IdempotencyHarness,
} from "../support/IdempotencyHarness.ts"
import type { CallContext } from "../../src/batch/Dispatcher.ts"

const manyKeyed = (count: number, key: (index: number) => string | undefined = (index) => `k${index}`) =>
  keyed(...Array.from({ length: count }, (_, index) => key(index)))

/** Makes a handler that writes its input in the transaction. */
const writing =
  (answer: (input: unknown) => unknown = () => "ok") =>
  async ({ input }: Pick<Operation, "input">, { tx }: Pick<CallContext, "tx">): Promise<OperationResult> => {
    const answered = answer(input)
    ;(tx as ScriptedTransaction).rows.push(input)
    if (answered instanceof OperationResult) return answered
    return typeof answered === "object" && answered !== null
      ? OperationResult.error(answered as never)
      : OperationResult.success(answered)
  }

const afterTurns = (turns: number) => async () => {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
  return OperationResult.success("done")
}

describe("calls to the store", () => {
  it.effect("are one claim and one settlement for a thousand operations that share a handler call", () =>
    Effect.gen(function* () {
      for (const key of [undefined, "k"]) {
        const harness = new IdempotencyHarness()
        const runMany = (operations: ReadonlyArray<Operation>) => operations.map(() => OperationResult.success("x"))
        yield* harness.run({ operations: manyKeyed(1000), runMany, key })
        expect({ acquire: harness.count("acquire"), settle: harness.count("settle") }).toEqual({
          acquire: 1,
          settle: 1,
        })
      }
    }),
  )

  it.effect("are one claim and a settlement for every 25 of a thousand operations that run separately", () =>
    Effect.gen(function* () {
      for (const key of [undefined, "k"]) {
        const harness = new IdempotencyHarness()
        // The clock stands still, because operations are also settled after 50 ms.
        const fiber = yield* harness.start({ operations: manyKeyed(1000), run: afterTurns(1), key })
        while (fiber.pollUnsafe() === undefined) yield* idle
        expect(harness.count("acquire")).toBe(1)
        expect(harness.count("settle")).toBeLessThanOrEqual(41)
      }
    }),
  )

  it.effect("are about a single record where only the batch has a key", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      yield* harness.run({ operations: manyKeyed(100, () => undefined), run: afterTurns(1), key: "k" })
      expect((yield* Effect.promise(() => harness.states())).size).toBe(1)
      expect(harness.actions().filter((action) => action === "complete")).toHaveLength(1)
    }),
  )

  it.effect("are a single claim for a retry of a completed batch", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      yield* harness.run({ operations: manyKeyed(100), key: "k" })
      const before = harness.calls.length
      yield* harness.run({ operations: manyKeyed(100), key: "k" })
      expect(harness.calls.slice(before).map(({ method }) => method)).toEqual(["acquire"])
    }),
  )

  it.effect("settle operations that end one at a time after 50 ms, together", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      const { promise, resolve } = Promise.withResolvers<OperationResult>()
      const run = ({ index }: Operation) => (index === 9 ? promise : OperationResult.success("x"))
      const fiber = yield* harness.start({ operations: manyKeyed(10), run })
      yield* harness.advance(49, 49)
      expect(harness.count("settle")).toBe(0)
      yield* harness.advance(1, 1)
      expect(harness.calls.at(-1)!.items).toHaveLength(9)
      resolve(OperationResult.success("x"))
      yield* Fiber.join(fiber)
      expect(harness.count("settle")).toBe(2)
    }),
  )

  it.effect("settle an operation that ends after a lull after 3 ms, with others that ended by then", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      const slow = Array.from({ length: 4 }, () => Promise.withResolvers<OperationResult>())
      const end = (index: number) => slow[index]!.resolve(OperationResult.success("x"))
      const fiber = yield* harness.start({
        operations: manyKeyed(4),
        run: ({ index }: Operation) => slow[index]!.promise,
      })
      yield* harness.advance(25, 25)
      end(0)
      yield* harness.advance(2, 2)
      end(1)
      expect(harness.count("settle")).toBe(0)
      yield* harness.advance(1, 1)
      expect(harness.calls.at(-1)!.items).toHaveLength(2)
      // The next operation does not end after a lull.
      end(2)
      yield* harness.advance(49, 49)
      expect(harness.count("settle")).toBe(1)
      yield* harness.advance(1, 1)
      expect(harness.count("settle")).toBe(2)
      end(3)
      yield* Fiber.join(fiber)
      expect(harness.count("settle")).toBe(3)
    }),
  )

  it.effect("are one settlement for each transaction, and none outside of transactions", () =>
    Effect.gen(function* () {
      for (const key of [undefined, "k"]) {
        const database = new ScriptedDatabase()
        const harness = new IdempotencyHarness({ sameTransaction: 25 }, database)
        const options = { unitOfWork: database.unitOfWork }
        const ran = yield* harness.run({ operations: manyKeyed(100), run: writing(), options, key })
        expect(new Set(outcomes(ran))).toEqual(new Set(["ok"]))
        expect({
          acquire: harness.count("acquire"),
          settleIn: harness.count("settleIn"),
          settle: harness.count("settle"),
        }).toEqual({ acquire: 1, settleIn: 4, settle: 0 })
        const again = yield* harness.run({ operations: manyKeyed(100), run: writing(), options, key })
        expect(again.completed).toBe(key !== undefined)
        expect(new Set(outcomes(again))).toEqual(new Set(["replayed ok"]))
        expect(database.rows).toHaveLength(100)
      }
    }),
  )
})

describe("items that the store receives", () => {
  const isPlain = (value: unknown): boolean =>
    typeof value !== "object" ||
    value === null ||
    ([Object.prototype, Array.prototype].includes(Object.getPrototypeOf(value)) &&
      Object.values(Object.getOwnPropertyDescriptors(value)).every((member) => isPlain(member.value)) &&
      Object.values(Object.getOwnPropertyDescriptors(value)).every(({ get }) => get === undefined))

  it.effect("are plain objects, so that a copy has all members", () =>
    Effect.gen(function* () {
      const codec = { encode: (text: string) => text, decode: (text: string) => text }
      for (const settings of [{}, { codec }, { sameTransaction: 25 }]) {
        const database = new ScriptedDatabase()
        const harness = new IdempotencyHarness(settings, "sameTransaction" in settings ? database : undefined)
        const options = { unitOfWork: database.unitOfWork }
        const run = ({ input }: Operation) => (input === "c" ? crashed : OperationResult.success({ id: input }))
        yield* harness.run({ operations: keyed("a", "b", "c", { input: "d" }), run, options, key: "k" })
        const items = harness.calls.flatMap((asked) => asked.items)
        expect(items.length).toBeGreaterThan(5)
        for (const item of items) {
          expect(isPlain(item)).toBe(true)
          expect(structuredClone({ ...item })).toStrictEqual(item)
        }
      }
    }),
  )
})

describe("claims while a batch runs", () => {
  it.effect("are extended until the batch ends", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      const { promise, resolve } = Promise.withResolvers<OperationResult>()
      const fiber = yield* harness.start({
        operations: keyed("a", undefined),
        run: () => promise,
        key: "k",
        limits: { deadline: 200_000 },
      })
      for (let minute = 0; minute < 2; minute++) {
        yield* harness.advance(60_000, 500)
        expect(outcomes(yield* harness.run({ operations: keyed("a") }))).toEqual(["IDEMPOTENCY_IN_PROGRESS"])
        expect(refusalCode(yield* harness.run({ operations: keyed("a", undefined), key: "k" }))).toBe(
          "IDEMPOTENCY_IN_PROGRESS",
        )
      }
      resolve(OperationResult.success("v"))
      yield* Fiber.join(fiber)
      const asked = harness.calls.length
      expect(outcomes(yield* harness.run({ operations: keyed("a") }))).toEqual(["replayed v"])
      yield* harness.advance(60_000, 1000)
      expect(harness.calls.length).toBe(asked + 1)
    }),
  )

  it.effect("stop claimed operations from starting when they cannot be extended", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      const held = [Promise.withResolvers<OperationResult>(), Promise.withResolvers<OperationResult>()]
      const run = ({ index }: Operation) => held[index]?.promise ?? OperationResult.success(index)
      const operations = keyed("a", "b", "c", undefined, "e")
      const options = { concurrency: 1 }
      const limits = { deadline: 100_000 }
      const fiber = yield* harness.start({ operations, run, options, limits })
      harness.behaviour = "unreachable"
      yield* harness.advance(11_000, 500)
      held[0]!.resolve(OperationResult.success("a"))
      yield* idle
      expect(operations.map(({ result }) => result?.failure?.code ?? result?.value)).toEqual([
        "a",
        "IDEMPOTENCY_IN_PROGRESS",
        "IDEMPOTENCY_IN_PROGRESS",
        3,
        "IDEMPOTENCY_IN_PROGRESS",
      ])
      yield* Fiber.join(fiber)
      harness.behaviour = "works"
      yield* harness.advance(1200)
      expect(outcomes(yield* harness.run({ operations: keyed("a", "b") }))).toEqual(["replayed a", "done"])
    }),
  )

  it.effect("stop operations from starting when another execution took them over", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      const held = Promise.withResolvers<OperationResult>()
      const run = ({ index }: Operation) => (index === 0 ? held.promise : OperationResult.success("late"))
      const operations = keyed("a", "b")
      const fiber = yield* harness.start({
        operations,
        run,
        options: { concurrency: 1 },
        limits: { deadline: 100_000 },
      })
      // This process is suspended until its lease ends, and another one takes over.
      harness.nowMs += 16_000
      const rival = yield* harness.run({ operations: keyed("b"), run: () => OperationResult.success("rival") })
      expect(outcomes(rival)).toEqual(["rival"])
      yield* harness.advance(5000, 500)
      held.resolve(OperationResult.success("slow"))
      yield* Fiber.join(fiber)
      expect(outcomes({ operations })).toEqual(["slow", "IDEMPOTENCY_IN_PROGRESS"])
    }),
  )

  it.effect("are kept when the answer to a settlement is lost", () =>
    Effect.gen(function* () {
      for (const behaviour of ["answer lost", "applied, no answer"] as const) {
        const harness = new IdempotencyHarness()
        const { counts, run } = countingHandler()
        const held = Promise.withResolvers<OperationResult>()
        const begin = (operation: Operation) => (operation.index === 1 ? held.promise : run(operation))
        const batch = () => keyed("a", "b", "c", { input: "d" })
        harness.next.settle.push(behaviour)
        const operations = batch()
        const fiber = yield* harness.start({
          operations,
          run: begin,
          options: { concurrency: 1 },
          key: "k",
          limits: { deadline: 100_000 },
        })
        yield* harness.advance(30_000, 500)
        held.resolve(OperationResult.success("b1"))
        yield* Fiber.join(fiber)
        expect(outcomes({ operations })).toEqual(["a1", "b1", "c1", "d1"])
        const again = yield* harness.run({ operations: batch(), run, key: "k" })
        expect({ completed: again.completed, outcomes: outcomes(again) }).toEqual({
          completed: true,
          outcomes: ["replayed a1", "replayed b1", "replayed c1", "replayed d1"],
        })
        expect([...counts.values()]).toEqual([1, 1, 1])
      }
    }),
  )

  it.effect("continue the journal after chunks that were lost or whose answer was lost", () =>
    Effect.gen(function* () {
      for (const behaviour of ["unreachable", "answer lost", "applied, no answer", "no answer", "slow"] as const) {
        for (const failing of [[0], [1], [0, 1], [1, 3]]) {
          const harness = new IdempotencyHarness()
          const { counts, run } = countingHandler((input, count) =>
            input === 5 && count === 1 ? crashed : `${String(input)}${count}`,
          )
          const slowly = async (operation: Operation) => {
            const until = harness.nowMs + 100
            while (harness.nowMs < until) await new Promise((resolve) => setImmediate(resolve))
            return run(operation)
          }
          harness.next.settle.push(
            ...Array.from({ length: 4 }, (_, call) => (failing.includes(call) ? behaviour : "works")),
          )
          const batch = () => manyKeyed(6, () => undefined)
          const first = yield* harness.run({ operations: batch(), run: slowly, options: { concurrency: 1 }, key: "k" })
          expect(outcomes(first)).toEqual(["01", "11", "21", "31", "41", "INTERNAL"])
          yield* harness.advance(5000, 500)
          const second = yield* harness.run({ operations: batch(), run, key: "k" })
          expect(outcomes(second)).toEqual([
            "replayed 01",
            "replayed 11",
            "replayed 21",
            "replayed 31",
            "replayed 41",
            "52",
          ])
          expect([...counts.values()]).toEqual([1, 1, 1, 1, 1, 2])
        }
      }
    }),
  )

  it.effect("are released when the batch is interrupted, also while it claims", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      const running = yield* harness.start({
        operations: keyed("a", "b"),
        run: neverAnswers,
        options: { concurrency: 1 },
        key: "k",
      })
      yield* Fiber.interrupt(running)
      harness.next.acquire.push("slow")
      const claiming = yield* harness.start({ operations: keyed("c"), run: neverAnswers, key: "l" })
      const interrupting = yield* Effect.forkChild(Fiber.interrupt(claiming))
      yield* harness.advance(400)
      yield* Fiber.join(interrupting)
      expect(outcomes(yield* harness.run({ operations: keyed("b", "c") }))).toEqual(["done", "done"])
      expect(outcomes(yield* harness.run({ operations: keyed({ input: "other" }), key: "l" }))).toEqual(["done"])
      yield* harness.advance(1000)
      const asked = harness.calls.length
      yield* harness.advance(60_000, 1000)
      expect(harness.calls.length).toBe(asked)
    }),
  )
})

describe("a transaction that stores its results", () => {
  const setUp = (connections?: number) => {
    const database = new ScriptedDatabase(connections)
    const harness = new IdempotencyHarness({ sameTransaction: 2 }, database)
    return { database, harness, options: { unitOfWork: database.unitOfWork } }
  }

  it.effect("stores its results if it commits, and nothing if it does not", () =>
    Effect.gen(function* () {
      for (const key of [undefined, "k"]) {
        for (const commit of ["reject", "transient", "good"] as const) {
          const { database, harness, options } = setUp()
          database.manners.push(...(commit === "transient" ? Array.from({ length: 5 }, () => commit) : [commit]))
          const batch = () => (key === undefined ? keyed("a", "b") : keyed({ input: "a" }, { input: "b" }))
          const first = yield* harness.run({ operations: batch(), run: writing(), options, key })
          const expected = { reject: "INTERNAL", transient: "CONFLICT", good: "ok" }[commit]
          expect(outcomes(first)).toEqual([expected, expected])
          const again = yield* harness.run({ operations: batch(), run: writing(), options, key })
          expect(outcomes(again)).toEqual(commit === "good" ? ["replayed ok", "replayed ok"] : ["ok", "ok"])
          expect(database.rows).toEqual(["a", "b"])
        }
      }
    }),
  )

  it.effect("stores the results of its last attempt when it is retried", () =>
    Effect.gen(function* () {
      const { database, harness, options } = setUp()
      let attempt = 0
      const run = writing(() => `v${++attempt}`)
      database.manners.push("transient", "transient")
      const batch = () => keyed({ input: "a" }, { input: "b" })
      expect(outcomes(yield* harness.run({ operations: batch(), run, options, key: "k" }))).toEqual(["v5", "v6"])
      expect(outcomes(yield* harness.run({ operations: batch(), run, options, key: "k" }))).toEqual([
        "replayed v5",
        "replayed v6",
      ])
      expect(database.rows).toEqual(["a", "b"])
    }),
  )

  it.effect("is retried when the store reports a transient error", () =>
    Effect.gen(function* () {
      const { database, harness, options } = setUp()
      let collisions = 0
      const settleIn = harness.store.settleIn!
      const store = {
        ...harness.store,
        settleIn: async (...args: Parameters<typeof settleIn>) => {
          if (collisions++ === 0) throw transient
          return settleIn(...args)
        },
      }
      const batch = () => keyed({ input: "a" }, { input: "b" })
      const first = yield* harness.run({ operations: batch(), run: writing(), options, key: "k", settings: { store } })
      expect({ outcomes: outcomes(first), attempts: database.attempts }).toEqual({
        outcomes: ["ok", "ok"],
        attempts: 2,
      })
      expect((yield* harness.run({ operations: batch(), run: writing(), options, key: "k" })).completed).toBe(true)
      expect(database.rows).toEqual(["a", "b"])
    }),
  )

  it.effect("is rolled back when its claims are lost or the store fails", () =>
    Effect.gen(function* () {
      for (const [behaviour, expected] of [
        ["refuses", "IDEMPOTENCY_IN_PROGRESS"],
        ["unreachable", "INTERNAL"],
      ] as const) {
        const { database, harness, options } = setUp()
        harness.next.settleIn.push(behaviour)
        const batch = () => keyed({ input: "a" }, { input: "b" })
        expect(outcomes(yield* harness.run({ operations: batch(), run: writing(), options, key: "k" }))).toEqual([
          expected,
          expected,
        ])
        expect(database.rows).toEqual([])
        const again = yield* harness.run({ operations: batch(), run: writing(), options, key: "k" })
        expect(outcomes(again)).toEqual(["ok", "ok"])
        expect(database.rows).toEqual(["a", "b"])
      }
    }),
  )

  it.effect("appends to the journal that it shares with other transactions, whether or not they commit", () =>
    Effect.gen(function* () {
      for (const connections of [1, 2, 10]) {
        for (const failing of [[0], [1], [2, 3], [0, 4]]) {
          const { database, harness, options } = setUp(connections)
          database.manners.push(
            ...(Array.from({ length: 5 }, (_, at) => (failing.includes(at) ? "reject" : "good")) as never[]),
          )
          const batch = () => manyKeyed(10, () => undefined)
          const first = yield* harness.run({ operations: batch(), run: writing(), options, key: "k" })
          expect(outcomes(first).filter((each) => each === "ok")).toHaveLength(10 - 2 * failing.length)
          const again = yield* harness.run({ operations: batch(), run: writing(), options, key: "k" })
          expect(outcomes(again)).toEqual(outcomes(first).map((each) => (each === "ok" ? "replayed ok" : "ok")))
          expect([...database.rows].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
          expect((yield* harness.run({ operations: batch(), run: writing(), options, key: "k" })).completed).toBe(true)
        }
      }
    }),
  )

  it.effect("does not deadlock with a settlement that needs its connection", () =>
    Effect.gen(function* () {
      // A single connection for transactions and other settlements, as in an embedded database.
      const database = new ScriptedDatabase(1)
      const harness = new IdempotencyHarness({}, database)
      const operations = keyed(
        ...Array.from({ length: 12 }, (_, index) => ({ ...(index % 3 !== 0 && { group: `g${index}` }) })),
      )
      const run = async (operation: Operation, context: CallContext) => {
        await afterTurns(operation.index)()
        if (operation.index === 1) return OperationResult.error(notFound)
        if (operation.group !== undefined) return writing()(operation, context)
        return OperationResult.success("ok")
      }
      const options = { unitOfWork: database.unitOfWork }
      const ran = yield* harness.run({ operations, run, options, key: "k", limits: { deadline: 20_000 } })
      expect(outcomes(ran)).toEqual(operations.map((_, index) => (index === 1 ? "NOT_FOUND" : "ok")))
    }),
  )

  it.effect("that is committing when its batch is interrupted is settled when its outcome is known", () =>
    Effect.gen(function* () {
      for (const commit of ["good", "reject"] as const) {
        const { database, harness, options } = setUp()
        const ending = Promise.withResolvers<void>()
        database.beforeCommitted = () => ending.promise
        database.manners.push(commit)
        const batch = () => ({ operations: keyed("a", "b"), run: writing(), options })
        const fiber = yield* harness.start(batch())
        yield* Fiber.interrupt(fiber)
        ending.resolve()
        yield* harness.advance(100)
        const expected = commit === "good" ? "replayed ok" : "ok"
        expect(outcomes(yield* harness.run(batch()))).toEqual([expected, expected])
        expect(database.rows).toEqual(["a", "b"])
      }
    }),
  )

  it.effect("whose commit has no answer is never stored as rolled back: a retry gets what was committed", () =>
    Effect.gen(function* () {
      for (const commit of ["unknown, done", "unknown, undone"] as const) {
        const { database, harness, options } = setUp()
        database.manners.push(commit)
        const batch = () => keyed("a", "b")
        expect(outcomes(yield* harness.run({ operations: batch(), run: writing(), options }))).toEqual([
          "OUTCOME_UNKNOWN",
          "OUTCOME_UNKNOWN",
        ])
        const soonAfter = yield* harness.run({ operations: batch(), run: writing(), options })
        const expected = commit === "unknown, done" ? "replayed ok" : "IDEMPOTENCY_IN_PROGRESS"
        expect(outcomes(soonAfter)).toEqual([expected, expected])
        yield* harness.advance(16_000, 1000)
        yield* harness.run({ operations: batch(), run: writing(), options })
        expect(database.rows).toEqual(["a", "b"])
      }
    }),
  )
})

describe("an atomic batch", () => {
  const setUp = (inside: boolean) => {
    const database = new ScriptedDatabase()
    const harness = new IdempotencyHarness({}, inside ? database : undefined)
    return { database, harness, given: { strategy: atomic, options: { unitOfWork: database.unitOfWork } } }
  }

  for (const inside of [true, false]) {
    const where = inside ? "settles in its transaction" : "settles after its transaction"

    it.effect(`that ${where} runs again after a rollback`, () =>
      Effect.gen(function* () {
        for (const key of [undefined, "k"]) {
          const { database, harness, given } = setUp(inside)
          let isThere = false
          const run = writing((input) => (input === "b" && !isThere ? notFound : "ok"))
          const batch = () => ({ operations: keyed("a", "b", "c"), run, key, ...given })
          expect(outcomes(yield* harness.run(batch()))).toEqual(["ROLLED_BACK", "NOT_FOUND", "ROLLED_BACK"])
          expect(outcomes(yield* harness.run(batch()))).toEqual(["ROLLED_BACK", "NOT_FOUND", "ROLLED_BACK"])
          isThere = true
          expect(outcomes(yield* harness.run(batch()))).toEqual(["ok", "ok", "ok"])
          const again = yield* harness.run(batch())
          expect({ completed: again.completed, outcomes: outcomes(again) }).toEqual({
            completed: key !== undefined,
            outcomes: ["replayed ok", "replayed ok", "replayed ok"],
          })
          expect(database.rows).toEqual(["a", "b", "c"])
        }
      }),
    )

    it.effect(`that ${where} runs a repeated key once, and is refused for a repeated key with another input`, () =>
      Effect.gen(function* () {
        const { database, harness, given } = setUp(inside)
        const batch = () => ({ operations: keyed("a", "b", "a"), run: writing(), key: "k", ...given })
        expect(outcomes(yield* harness.run(batch()))).toEqual(["ok", "ok", "replayed ok"])
        expect((yield* harness.run(batch())).completed).toBe(true)
        expect(database.rows).toEqual(["a", "b"])
        const other = yield* harness.run({
          operations: keyed("c", { key: "c", input: "else" }),
          run: writing(),
          ...given,
        })
        expect(outcomes(other)).toEqual(["ROLLED_BACK", "IDEMPOTENCY_KEY_REUSED"])
        expect(outcomes(yield* harness.run({ operations: keyed("c"), run: writing(), ...given }))).toEqual(["ok"])
      }),
    )

    it.effect(`that ${where} uses stored results: it continues from successes and fails with failures`, () =>
      Effect.gen(function* () {
        const { database, harness, given } = setUp(inside)
        const run = writing((input) => (input === "bad" ? notFound : "ok"))
        const alone = { options: { unitOfWork: database.unitOfWork, transactionSize: 5 } }
        yield* harness.run({ operations: keyed("a", "bad"), run, ...alone })
        expect(outcomes(yield* harness.run({ operations: keyed("a", "b"), run, key: "k", ...given }))).toEqual([
          "replayed ok",
          "ok",
        ])
        const failed = { operations: keyed("c", "bad"), run, ...given }
        expect(outcomes(yield* harness.run(failed))).toEqual(["ROLLED_BACK", "replayed NOT_FOUND"])
        expect(outcomes(yield* harness.run({ operations: keyed("c"), run, ...given }))).toEqual(["ok"])
        expect(database.rows).toEqual(["a", "b", "c"])
      }),
    )

    it.effect(`that ${where} keeps its claims no longer than its transaction, when the deadline aborts it`, () =>
      Effect.gen(function* () {
        const { database, harness, given } = setUp(inside)
        const undone = Promise.withResolvers<void>()
        database.beforeUndone = () => undone.promise
        let isSlow = true
        const run = async (operation: Operation, context: CallContext) => {
          if (operation.input === "b" && isSlow) await neverAnswers()
          return writing()(operation, context)
        }
        const batch = (deadline?: number) => ({
          operations: keyed("a", "b", "c"),
          run,
          key: "k",
          limits: { deadline },
          ...given,
        })
        expect(outcomes(yield* harness.run(batch(1000)))).toEqual(["ROLLED_BACK", "DEADLINE_EXCEEDED", "ROLLED_BACK"])
        isSlow = false
        expect(refusalCode(yield* harness.run(batch()))).toBe("IDEMPOTENCY_IN_PROGRESS")
        undone.resolve()
        yield* harness.advance(100)
        expect(outcomes(yield* harness.run(batch()))).toEqual(["ok", "ok", "ok"])
        expect(database.rows).toEqual(["a", "b", "c"])
      }),
    )
  }

  it.effect("whose commit has no answer keeps its claims, including that of the batch", () =>
    Effect.gen(function* () {
      const { database, harness, given } = setUp(false)
      database.manners.push("unknown, done")
      const batch = () => ({ operations: keyed("a", { input: "b" }), run: writing(), key: "k", ...given })
      const first = yield* harness.run(batch())
      expect({ isCommitUnknown: first.isCommitUnknown, outcomes: outcomes(first) }).toEqual({
        isCommitUnknown: true,
        outcomes: ["OUTCOME_UNKNOWN", "OUTCOME_UNKNOWN"],
      })
      expect(refusalCode(yield* harness.run(batch()))).toBe("IDEMPOTENCY_IN_PROGRESS")
    }),
  )

  it.effect("with an operation of unknown outcome does not report its own commit as unknown", () =>
    Effect.gen(function* () {
      const { database, harness, given } = setUp(true)
      const hold = { onAmbiguous: () => "hold" as const }
      yield* harness.run({ operations: keyed("b"), run: () => crashed, settings: hold })
      yield* harness.advance(16_000, 1000)
      const ran = yield* harness.run({ operations: keyed("a", "b"), run: writing(), ...given, settings: hold })
      expect({ isCommitUnknown: ran.isCommitUnknown, outcomes: outcomes(ran) }).toEqual({
        isCommitUnknown: false,
        outcomes: ["ROLLED_BACK", "OUTCOME_UNKNOWN"],
      })
      expect(database.rows).toEqual([])
    }),
  )

  it.effect("has one record, which is stored in its transaction", () =>
    Effect.gen(function* () {
      const { harness, given } = setUp(true)
      yield* harness.run({ operations: manyKeyed(1000, () => undefined), run: writing(), key: "k", ...given })
      expect(harness.calls.map(({ method, items }) => [method, items.length])).toEqual([
        ["acquire", 1],
        ["settleIn", 1],
      ])
    }),
  )
})

describe("atomicity groups of a batch with a key", () => {
  it.effect("run again as a whole if they were rolled back, and not otherwise", () =>
    Effect.gen(function* () {
      for (const inside of [true, false]) {
        const database = new ScriptedDatabase()
        const harness = new IdempotencyHarness({}, inside ? database : undefined)
        let isThere = false
        const run = writing((input) => (input === 1 && !isThere ? notFound : "ok"))
        const grouped = (operation: Operation, context: CallContext) =>
          operation.group === undefined ? OperationResult.success("alone") : run(operation, context)
        const batch = () => ({
          operations: keyed({ group: "g" }, { group: "g" }, { group: "h" }, { group: "h" }, {}),
          run: grouped,
          key: "k",
          options: { unitOfWork: database.unitOfWork },
        })
        expect(outcomes(yield* harness.run(batch()))).toEqual(["ROLLED_BACK", "NOT_FOUND", "ok", "ok", "alone"])
        isThere = true
        expect(outcomes(yield* harness.run(batch()))).toEqual([
          "ok",
          "ok",
          "replayed ok",
          "replayed ok",
          "replayed alone",
        ])
        expect((yield* harness.run(batch())).completed).toBe(true)
        expect([...database.rows].sort()).toEqual([0, 1, 2, 3])
      }
    }),
  )
})

describe("a codec of results", () => {
  it.effect("that rejects a result gets its stub, and other results are not affected", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness({
        codec: {
          encode: (text) => {
            if (text.includes("secret")) throw new Error("rejected")
            return `(${text})`
          },
          decode: (text) => text.slice(1, -1),
        },
      })
      const { run, counts } = countingHandler((input) => ({ id: input, more: input === "b" ? "secret" : "public" }))
      const batch = () => ({ operations: keyed("a", "b", { input: "c" }), run, key: "k" })
      const first = yield* harness.run(batch())
      expect(first.unrecorded).toBe(false)
      const again = yield* harness.run(batch())
      expect(again.completed).toBe(true)
      expect(again.operations.map(({ result }) => result?.value)).toEqual([
        { id: "a", more: "public" },
        { id: "b" },
        { id: "c", more: "public" },
      ])
      expect([...counts.values()]).toEqual([1, 1, 1])
    }),
  )

  it.effect("that rejects the stub too leaves the operation unrecorded and its key claimed", () =>
    Effect.gen(function* () {
      const codec = {
        encode: (text: string) => {
          if (text.includes('"b"')) throw new Error("rejected")
          return text
        },
        decode: (text: string) => text,
      }
      const harness = new IdempotencyHarness({ codec })
      const { run } = countingHandler((input) => ({ id: input }))
      const batch = () => ({ operations: keyed("a", "b"), run })
      const first = yield* harness.run(batch())
      expect(first.unrecorded).toBe(true)
      const again = yield* harness.run(batch())
      expect(again.operations.map(({ result }) => result?.failure?.code)).toEqual([
        undefined,
        "IDEMPOTENCY_IN_PROGRESS",
      ])
    }),
  )

  it.effect("that encodes to anything but a text does not make the operation run again", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness({ codec: { encode: () => undefined as never, decode: (text) => text } })
      expect((yield* harness.run({ operations: keyed("a") })).unrecorded).toBe(true)
      expect(outcomes(yield* harness.run({ operations: keyed("a") }))).toEqual(["IDEMPOTENCY_IN_PROGRESS"])
    }),
  )
})

describe("a stored result", () => {
  it.effect("that exceeds the maximum size is replayed without its data", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness({ maxResultBytes: 100 })
      const { run, total } = countingHandler(() => ({ id: "u_1", name: "x".repeat(100) }))
      const batch = () => ({ operations: keyed("a", { input: "b" }), run, key: "k" })
      yield* harness.run(batch())
      const again = yield* harness.run(batch())
      expect(again.operations.map(({ result }) => result?.value)).toEqual([{ id: "u_1" }, { id: "u_1" }])
      expect(total()).toBe(2)
    }),
  )

  it.effect("that exceeds the room in the record of its batch is replayed without its data", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness({ maxResultBytes: 1e7 })
      const { run, total } = countingHandler((input) => ({ id: input, name: "x".repeat(3 * 2 ** 20) }))
      const batch = () => ({ operations: manyKeyed(4, () => undefined), run, key: "k" })
      yield* harness.run(batch())
      const again = yield* harness.run(batch())
      const sizes = again.operations.map(({ result }) => JSON.stringify(result?.value).length > 100)
      expect(sizes).toEqual([true, true, false, false])
      expect(total()).toBe(4)
    }),
  )

  const odd: Readonly<Record<string, () => unknown>> = {
    "a big integer": () => 1n,
    "a cycle": () => {
      const cycle: Record<string, unknown> = { id: "u_1" }
      cycle["self"] = cycle
      return cycle
    },
    "a function": () => () => {},
    "a throwing getter": () => ({
      get id(): string {
        throw new Error("no")
      },
    }),
    "a throwing toJSON": () => ({
      toJSON: () => {
        throw new Error("no")
      },
    }),
    "an id of a megabyte": () => ({ id: "x".repeat(2 ** 20), rest: "y".repeat(2 ** 20) }),
    "a failure of a megabyte": () => failure("ODD", "x".repeat(2 ** 20), { field: "y".repeat(2 ** 20) }),
    "a failure with a big integer": () => failure("ODD", "m", { retryAfter: 1n as never }),
    bytes: () => new Uint8Array([1, 2]),
    "not a number": () => Number.NaN,
    "a lone surrogate": () => "\ud800",
    "a line break": () => "a\n1:1:1\n",
  }

  for (const [name, value] of Object.entries(odd)) {
    it.effect(`that is ${name} is replayed with its status, and other results are not affected`, () =>
      Effect.gen(function* () {
        const harness = new IdempotencyHarness()
        const { run, total } = countingHandler((input) => (input === "odd" ? value() : "fine"))
        const batch = () => ({
          operations: keyed("a", { input: "odd" }, { key: "c", input: "odd" }, "d"),
          run,
          key: "k",
        })
        const first = yield* harness.run(batch())
        expect(first.unrecorded).toBe(false)
        const again = yield* harness.run(batch())
        expect(again.completed).toBe(true)
        expect(again.operations.map(({ result }) => [result?.outcome, result?.status])).toEqual(
          first.operations.map(({ result }) => [result?.outcome, result?.status]),
        )
        expect(again.operations[0]!.result?.value).toBe("fine")
        expect(again.operations[3]!.result?.value).toBe("fine")
        expect(total()).toBe(4)
      }),
    )
  }
})
