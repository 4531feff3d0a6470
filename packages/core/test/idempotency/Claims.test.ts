import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { failure } from "../../src/batch/Failure.ts"
import type { Operation } from "../../src/batch/Operation.ts"
import { OperationResult } from "../../src/batch/OperationResult.ts"
import { atomic } from "../support/atomic.ts"
import { ScriptedDatabase, type ScriptedTransaction, transient } from "../support/ScriptedDatabase.ts"
import { code, counting, crashed, keyed, never, notFound, soon, told, World } from "../support/idempotency.ts"
import type { CallContext } from "../../src/batch/Dispatcher.ts"

const many = (count: number, key: (index: number) => string | undefined = (index) => `k${index}`) =>
  keyed(...Array.from({ length: count }, (_, index) => key(index)))

/** A handler that writes its input through the transaction it is given. */
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

const after = (turns: number) => async () => {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
  return OperationResult.success("done")
}

describe("what the store is asked", () => {
  it.effect("for a thousand operations that share a call: one claim, one settlement", () =>
    Effect.gen(function* () {
      for (const key of [undefined, "k"]) {
        const world = new World()
        const runMany = (operations: ReadonlyArray<Operation>) => operations.map(() => OperationResult.success("x"))
        yield* world.run({ operations: many(1000), runMany, key })
        expect([world.count("acquire"), world.count("settle")]).toEqual([1, 1])
      }
    }),
  )

  it.effect("for a thousand operations run apart: one claim, a settlement for every 25", () =>
    Effect.gen(function* () {
      for (const key of [undefined, "k"]) {
        const world = new World()
        // Without time passing: what ended is settled after 50 ms too, however little that is.
        const fiber = yield* world.start({ operations: many(1000), run: after(1), key })
        while (fiber.pollUnsafe() === undefined) yield* soon
        expect(world.count("acquire")).toBe(1)
        expect(world.count("settle")).toBeLessThanOrEqual(41)
      }
    }),
  )

  it.effect("for operations under the key of their batch alone: one record", () =>
    Effect.gen(function* () {
      const world = new World()
      yield* world.run({ operations: many(100, () => undefined), run: after(1), key: "k" })
      expect((yield* Effect.promise(() => world.states())).size).toBe(1)
      expect(world.actions().filter((action) => action === "complete")).toHaveLength(1)
    }),
  )

  it.effect("for a retry of what is done: one claim, nothing else", () =>
    Effect.gen(function* () {
      const world = new World()
      yield* world.run({ operations: many(100), key: "k" })
      const before = world.asked.length
      yield* world.run({ operations: many(100), key: "k" })
      expect(world.asked.slice(before).map(({ call }) => call)).toEqual(["acquire"])
    }),
  )

  it.effect("by an operation that ends alone: what ended within 50 ms", () =>
    Effect.gen(function* () {
      const world = new World()
      const { promise, resolve } = Promise.withResolvers<OperationResult>()
      const run = ({ index }: Operation) => (index === 9 ? promise : OperationResult.success("x"))
      const fiber = yield* world.start({ operations: many(10), run })
      yield* world.pass(49, 49)
      expect(world.count("settle")).toBe(0)
      yield* world.pass(1, 1)
      expect(world.asked.at(-1)!.items).toHaveLength(9)
      resolve(OperationResult.success("x"))
      yield* Fiber.join(fiber)
      expect(world.count("settle")).toBe(2)
    }),
  )

  it.effect("by an operation that ends after a lull: what ends with it", () =>
    Effect.gen(function* () {
      const world = new World()
      const slow = Array.from({ length: 4 }, () => Promise.withResolvers<OperationResult>())
      const end = (index: number) => slow[index]!.resolve(OperationResult.success("x"))
      const fiber = yield* world.start({ operations: many(4), run: ({ index }: Operation) => slow[index]!.promise })
      yield* world.pass(25, 25)
      end(0)
      yield* world.pass(2, 2)
      end(1)
      expect(world.count("settle")).toBe(0)
      yield* world.pass(1, 1)
      expect(world.asked.at(-1)!.items).toHaveLength(2)
      // And the next one waits for others again.
      end(2)
      yield* world.pass(49, 49)
      expect(world.count("settle")).toBe(1)
      yield* world.pass(1, 1)
      expect(world.count("settle")).toBe(2)
      end(3)
      yield* Fiber.join(fiber)
      expect(world.count("settle")).toBe(3)
    }),
  )

  it.effect("in transactions: one settlement for each, and none besides", () =>
    Effect.gen(function* () {
      for (const key of [undefined, "k"]) {
        const database = new ScriptedDatabase()
        const world = new World({ sameTransaction: 25 }, database)
        const options = { unitOfWork: database.unitOfWork }
        const ran = yield* world.run({ operations: many(100), run: writing(), options, key })
        expect(new Set(told(ran))).toEqual(new Set(["ok"]))
        expect([world.count("acquire"), world.count("settleIn"), world.count("settle")]).toEqual([1, 4, 0])
        const again = yield* world.run({ operations: many(100), run: writing(), options, key })
        expect([again.completed, new Set(told(again))]).toEqual([key !== undefined, new Set(["=ok"])])
        expect(database.rows).toHaveLength(100)
      }
    }),
  )
})

describe("the items that a store receives", () => {
  const isPlain = (value: unknown): boolean =>
    typeof value !== "object" ||
    value === null ||
    ([Object.prototype, Array.prototype].includes(Object.getPrototypeOf(value)) &&
      Object.values(Object.getOwnPropertyDescriptors(value)).every((member) => isPlain(member.value)) &&
      Object.values(Object.getOwnPropertyDescriptors(value)).every(({ get }) => get === undefined))

  it.effect("are plain: a copy of an item has all of its members", () =>
    Effect.gen(function* () {
      const codec = { encode: (text: string) => text, decode: (text: string) => text }
      for (const settings of [{}, { codec }, { sameTransaction: 25 }]) {
        const database = new ScriptedDatabase()
        const world = new World(settings, "sameTransaction" in settings ? database : undefined)
        const options = { unitOfWork: database.unitOfWork }
        const run = ({ input }: Operation) => (input === "c" ? crashed : OperationResult.success({ id: input }))
        yield* world.run({ operations: keyed("a", "b", "c", { input: "d" }), run, options, key: "k" })
        const items = world.asked.flatMap((asked) => asked.items)
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
  it.effect("are kept alive for as long as it takes", () =>
    Effect.gen(function* () {
      const world = new World()
      const { promise, resolve } = Promise.withResolvers<OperationResult>()
      const fiber = yield* world.start({
        operations: keyed("a", undefined),
        run: () => promise,
        key: "k",
        limits: { deadlineMs: 200_000 },
      })
      for (let minute = 0; minute < 2; minute++) {
        yield* world.pass(60_000, 500)
        expect(told(yield* world.run({ operations: keyed("a") }))).toEqual(["IDEMPOTENCY_IN_PROGRESS"])
        expect(code(yield* world.run({ operations: keyed("a", undefined), key: "k" }))).toBe("IDEMPOTENCY_IN_PROGRESS")
      }
      resolve(OperationResult.success("v"))
      yield* Fiber.join(fiber)
      const asked = world.asked.length
      expect(told(yield* world.run({ operations: keyed("a") }))).toEqual(["=v"])
      yield* world.pass(60_000, 1000)
      expect(world.asked.length).toBe(asked + 1)
    }),
  )

  it.effect("that cannot be kept alive let nothing more begin that is claimed", () =>
    Effect.gen(function* () {
      const world = new World()
      const held = [Promise.withResolvers<OperationResult>(), Promise.withResolvers<OperationResult>()]
      const run = ({ index }: Operation) => held[index]?.promise ?? OperationResult.success(index)
      const operations = keyed("a", "b", "c", undefined, "e")
      const options = { concurrency: 1 }
      const limits = { deadlineMs: 100_000 }
      const fiber = yield* world.start({ operations, run, options, limits })
      world.manner = "before"
      yield* world.pass(11_000, 500)
      held[0]!.resolve(OperationResult.success("a"))
      yield* soon
      expect(operations.map(({ result }) => result?.failure?.code ?? result?.value)).toEqual([
        "a",
        "IDEMPOTENCY_IN_PROGRESS",
        "IDEMPOTENCY_IN_PROGRESS",
        3,
        "IDEMPOTENCY_IN_PROGRESS",
      ])
      yield* Fiber.join(fiber)
      world.manner = "good"
      yield* world.pass(1200)
      expect(told(yield* world.run({ operations: keyed("a", "b") }))).toEqual(["=a", "done"])
    }),
  )

  it.effect("that another execution took over let nothing more begin", () =>
    Effect.gen(function* () {
      const world = new World()
      const held = Promise.withResolvers<OperationResult>()
      const run = ({ index }: Operation) => (index === 0 ? held.promise : OperationResult.success("late"))
      const operations = keyed("a", "b")
      const fiber = yield* world.start({
        operations,
        run,
        options: { concurrency: 1 },
        limits: { deadlineMs: 100_000 },
      })
      // This process sleeps; the lease ends, and another one is at work.
      world.nowMs += 16_000
      const rival = yield* world.run({ operations: keyed("b"), run: () => OperationResult.success("rival") })
      expect(told(rival)).toEqual(["rival"])
      yield* world.pass(5000, 500)
      held.resolve(OperationResult.success("slow"))
      yield* Fiber.join(fiber)
      expect(told({ operations })).toEqual(["slow", "IDEMPOTENCY_IN_PROGRESS"])
    }),
  )

  it.effect("are not lost because a result was stored without an answer", () =>
    Effect.gen(function* () {
      for (const manner of ["lost", "hang"] as const) {
        const world = new World()
        const { counts, run } = counting()
        const held = Promise.withResolvers<OperationResult>()
        const begin = (operation: Operation) => (operation.index === 1 ? held.promise : run(operation))
        const batch = () => keyed("a", "b", "c", { input: "d" })
        world.manners.settle.push(manner)
        const operations = batch()
        const fiber = yield* world.start({
          operations,
          run: begin,
          options: { concurrency: 1 },
          key: "k",
          limits: { deadlineMs: 100_000 },
        })
        yield* world.pass(30_000, 500)
        held.resolve(OperationResult.success("b1"))
        yield* Fiber.join(fiber)
        expect(told({ operations })).toEqual(["a1", "b1", "c1", "d1"])
        const again = yield* world.run({ operations: batch(), run, key: "k" })
        expect([again.completed, told(again)]).toEqual([true, ["=a1", "=b1", "=c1", "=d1"]])
        expect([...counts.values()]).toEqual([1, 1, 1])
      }
    }),
  )

  it.effect("go on after chunks whose answer was lost, and after those that never arrived", () =>
    Effect.gen(function* () {
      for (const manner of ["before", "lost", "hang", "dead", "slow"] as const) {
        for (const failing of [[0], [1], [0, 1], [1, 3]]) {
          const world = new World()
          const { counts, run } = counting((input, count) =>
            input === 5 && count === 1 ? crashed : `${String(input)}${count}`,
          )
          const slowly = async (operation: Operation) => {
            const until = world.nowMs + 100
            while (world.nowMs < until) await new Promise((resolve) => setImmediate(resolve))
            return run(operation)
          }
          world.manners.settle.push(
            ...Array.from({ length: 4 }, (_, call) => (failing.includes(call) ? manner : "good")),
          )
          const batch = () => many(6, () => undefined)
          const first = yield* world.run({ operations: batch(), run: slowly, options: { concurrency: 1 }, key: "k" })
          expect(told(first)).toEqual(["01", "11", "21", "31", "41", "INTERNAL"])
          yield* world.pass(5000, 500)
          const second = yield* world.run({ operations: batch(), run, key: "k" })
          expect(told(second)).toEqual(["=01", "=11", "=21", "=31", "=41", "52"])
          expect([...counts.values()]).toEqual([1, 1, 1, 1, 1, 2])
        }
      }
    }),
  )

  it.effect("are given back when the batch is interrupted, also while it is claiming", () =>
    Effect.gen(function* () {
      const world = new World()
      const running = yield* world.start({
        operations: keyed("a", "b"),
        run: never,
        options: { concurrency: 1 },
        key: "k",
      })
      yield* Fiber.interrupt(running)
      world.manners.acquire.push("slow")
      const claiming = yield* world.start({ operations: keyed("c"), run: never, key: "l" })
      const interrupting = yield* Effect.forkChild(Fiber.interrupt(claiming))
      yield* world.pass(400)
      yield* Fiber.join(interrupting)
      expect(told(yield* world.run({ operations: keyed("b", "c") }))).toEqual(["done", "done"])
      expect(told(yield* world.run({ operations: keyed({ input: "other" }), key: "l" }))).toEqual(["done"])
      yield* world.pass(1000)
      const asked = world.asked.length
      yield* world.pass(60_000, 1000)
      expect(world.asked.length).toBe(asked)
    }),
  )
})

describe("a transaction that stores its results", () => {
  const setUp = (connections?: number) => {
    const database = new ScriptedDatabase(connections)
    const world = new World({ sameTransaction: 2 }, database)
    return { database, world, options: { unitOfWork: database.unitOfWork } }
  }

  it.effect("stores nothing if it does not commit, and everything if it does", () =>
    Effect.gen(function* () {
      for (const key of [undefined, "k"]) {
        for (const manner of ["reject", "transient", "good"] as const) {
          const { database, world, options } = setUp()
          database.manners.push(...(manner === "transient" ? Array.from({ length: 5 }, () => manner) : [manner]))
          const batch = () => (key === undefined ? keyed("a", "b") : keyed({ input: "a" }, { input: "b" }))
          const first = yield* world.run({ operations: batch(), run: writing(), options, key })
          const expected = { reject: "INTERNAL", transient: "CONFLICT", good: "ok" }[manner]
          expect(told(first)).toEqual([expected, expected])
          const again = yield* world.run({ operations: batch(), run: writing(), options, key })
          expect(told(again)).toEqual(manner === "good" ? ["=ok", "=ok"] : ["ok", "ok"])
          expect(database.rows).toEqual(["a", "b"])
        }
      }
    }),
  )

  it.effect("that is tried again stores what the last attempt did, once", () =>
    Effect.gen(function* () {
      const { database, world, options } = setUp()
      let attempt = 0
      const run = writing(() => `v${++attempt}`)
      database.manners.push("transient", "transient")
      const batch = () => keyed({ input: "a" }, { input: "b" })
      expect(told(yield* world.run({ operations: batch(), run, options, key: "k" }))).toEqual(["v5", "v6"])
      expect(told(yield* world.run({ operations: batch(), run, options, key: "k" }))).toEqual(["=v5", "=v6"])
      expect(database.rows).toEqual(["a", "b"])
    }),
  )

  it.effect("is tried again when storing collides", () =>
    Effect.gen(function* () {
      const { database, world, options } = setUp()
      let collisions = 0
      const settleIn = world.store.settleIn!
      const store = {
        ...world.store,
        settleIn: async (...args: Parameters<typeof settleIn>) => {
          if (collisions++ === 0) throw transient
          return settleIn(...args)
        },
      }
      const batch = () => keyed({ input: "a" }, { input: "b" })
      const first = yield* world.run({ operations: batch(), run: writing(), options, key: "k", settings: { store } })
      expect([told(first), database.attempts]).toEqual([["ok", "ok"], 2])
      expect((yield* world.run({ operations: batch(), run: writing(), options, key: "k" })).completed).toBe(true)
      expect(database.rows).toEqual(["a", "b"])
    }),
  )

  it.effect("is rolled back when its claims are another's, or the store fails", () =>
    Effect.gen(function* () {
      for (const [manner, expected] of [
        ["refused", "IDEMPOTENCY_IN_PROGRESS"],
        ["before", "INTERNAL"],
      ] as const) {
        const { database, world, options } = setUp()
        world.manners.settleIn.push(manner)
        const batch = () => keyed({ input: "a" }, { input: "b" })
        expect(told(yield* world.run({ operations: batch(), run: writing(), options, key: "k" }))).toEqual([
          expected,
          expected,
        ])
        expect(database.rows).toEqual([])
        const again = yield* world.run({ operations: batch(), run: writing(), options, key: "k" })
        expect(told(again)).toEqual(["ok", "ok"])
        expect(database.rows).toEqual(["a", "b"])
      }
    }),
  )

  it.effect("beside others under one key of a batch adds to what they stored, whatever becomes of each", () =>
    Effect.gen(function* () {
      for (const connections of [1, 2, 10]) {
        for (const failing of [[0], [1], [2, 3], [0, 4]]) {
          const { database, world, options } = setUp(connections)
          database.manners.push(
            ...(Array.from({ length: 5 }, (_, at) => (failing.includes(at) ? "reject" : "good")) as never[]),
          )
          const batch = () => many(10, () => undefined)
          const first = yield* world.run({ operations: batch(), run: writing(), options, key: "k" })
          expect(told(first).filter((each) => each === "ok")).toHaveLength(10 - 2 * failing.length)
          const again = yield* world.run({ operations: batch(), run: writing(), options, key: "k" })
          expect(told(again)).toEqual(told(first).map((each) => (each === "ok" ? "=ok" : "ok")))
          expect([...database.rows].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
          expect((yield* world.run({ operations: batch(), run: writing(), options, key: "k" })).completed).toBe(true)
        }
      }
    }),
  )

  it.effect("does not wait for what waits for its connection", () =>
    Effect.gen(function* () {
      // One connection for transactions and for what is stored outside of them, as an embedded database has it.
      const database = new ScriptedDatabase(1)
      const world = new World({}, database)
      const operations = keyed(
        ...Array.from({ length: 12 }, (_, index) => ({ ...(index % 3 !== 0 && { group: `g${index}` }) })),
      )
      const run = async (operation: Operation, context: CallContext) => {
        await after(operation.index)()
        if (operation.index === 1) return OperationResult.error(notFound)
        if (operation.group !== undefined) return writing()(operation, context)
        return OperationResult.success("ok")
      }
      const options = { unitOfWork: database.unitOfWork }
      const ran = yield* world.run({ operations, run, options, key: "k", limits: { deadlineMs: 20_000 } })
      expect(told(ran)).toEqual(operations.map((_, index) => (index === 1 ? "NOT_FOUND" : "ok")))
    }),
  )

  it.effect("that is committing when its batch is interrupted is stored as it ends, and not before", () =>
    Effect.gen(function* () {
      for (const manner of ["good", "reject"] as const) {
        const { database, world, options } = setUp()
        const ending = Promise.withResolvers<void>()
        database.beforeCommitted = () => ending.promise
        database.manners.push(manner)
        const batch = () => ({ operations: keyed("a", "b"), run: writing(), options })
        const fiber = yield* world.start(batch())
        yield* Fiber.interrupt(fiber)
        ending.resolve()
        yield* world.pass(100)
        const expected = manner === "good" ? "=ok" : "ok"
        expect(told(yield* world.run(batch()))).toEqual([expected, expected])
        expect(database.rows).toEqual(["a", "b"])
      }
    }),
  )

  it.effect("whose commit was not answered is never stored as undone: who asks again gets what is there", () =>
    Effect.gen(function* () {
      for (const manner of ["unknown, done", "unknown, undone"] as const) {
        const { database, world, options } = setUp()
        database.manners.push(manner)
        const batch = () => keyed("a", "b")
        expect(told(yield* world.run({ operations: batch(), run: writing(), options }))).toEqual([
          "OUTCOME_UNKNOWN",
          "OUTCOME_UNKNOWN",
        ])
        const soonAfter = yield* world.run({ operations: batch(), run: writing(), options })
        const expected = manner === "unknown, done" ? "=ok" : "IDEMPOTENCY_IN_PROGRESS"
        expect(told(soonAfter)).toEqual([expected, expected])
        yield* world.pass(16_000, 1000)
        yield* world.run({ operations: batch(), run: writing(), options })
        expect(database.rows).toEqual(["a", "b"])
      }
    }),
  )
})

describe("an atomic batch", () => {
  const setUp = (inside: boolean) => {
    const database = new ScriptedDatabase()
    const world = new World({}, inside ? database : undefined)
    return { database, world, given: { strategy: atomic, options: { unitOfWork: database.unitOfWork } } }
  }

  for (const inside of [true, false]) {
    const where = inside ? "stores with its transaction" : "stores after its transaction"

    it.effect(`that ${where} and is rolled back runs again`, () =>
      Effect.gen(function* () {
        for (const key of [undefined, "k"]) {
          const { database, world, given } = setUp(inside)
          let isThere = false
          const run = writing((input) => (input === "b" && !isThere ? notFound : "ok"))
          const batch = () => ({ operations: keyed("a", "b", "c"), run, key, ...given })
          expect(told(yield* world.run(batch()))).toEqual(["ROLLED_BACK", "NOT_FOUND", "ROLLED_BACK"])
          expect(told(yield* world.run(batch()))).toEqual(["ROLLED_BACK", "NOT_FOUND", "ROLLED_BACK"])
          isThere = true
          expect(told(yield* world.run(batch()))).toEqual(["ok", "ok", "ok"])
          const again = yield* world.run(batch())
          expect([again.completed, told(again)]).toEqual([key !== undefined, ["=ok", "=ok", "=ok"]])
          expect(database.rows).toEqual(["a", "b", "c"])
        }
      }),
    )

    it.effect(`that ${where} runs repeated keys once, and is refused for another payload of one`, () =>
      Effect.gen(function* () {
        const { database, world, given } = setUp(inside)
        const batch = () => ({ operations: keyed("a", "b", "a"), run: writing(), key: "k", ...given })
        expect(told(yield* world.run(batch()))).toEqual(["ok", "ok", "=ok"])
        expect((yield* world.run(batch())).completed).toBe(true)
        expect(database.rows).toEqual(["a", "b"])
        const other = yield* world.run({ operations: keyed("c", { k: "c", input: "else" }), run: writing(), ...given })
        expect(told(other)).toEqual(["ROLLED_BACK", "IDEMPOTENCY_KEY_REUSED"])
        expect(told(yield* world.run({ operations: keyed("c"), run: writing(), ...given }))).toEqual(["ok"])
      }),
    )

    it.effect(`that ${where} goes on from what was done before, and fails with what failed before`, () =>
      Effect.gen(function* () {
        const { database, world, given } = setUp(inside)
        const run = writing((input) => (input === "bad" ? notFound : "ok"))
        const alone = { options: { unitOfWork: database.unitOfWork, transactionSize: 5 } }
        yield* world.run({ operations: keyed("a", "bad"), run, ...alone })
        expect(told(yield* world.run({ operations: keyed("a", "b"), run, key: "k", ...given }))).toEqual(["=ok", "ok"])
        const failed = { operations: keyed("c", "bad"), run, ...given }
        expect(told(yield* world.run(failed))).toEqual(["ROLLED_BACK", "=NOT_FOUND"])
        expect(told(yield* world.run({ operations: keyed("c"), run, ...given }))).toEqual(["ok"])
        expect(database.rows).toEqual(["a", "b", "c"])
      }),
    )

    it.effect(`that ${where} and is given up at the deadline leaves no claim for longer than its transaction`, () =>
      Effect.gen(function* () {
        const { database, world, given } = setUp(inside)
        const undone = Promise.withResolvers<void>()
        database.beforeUndone = () => undone.promise
        let isSlow = true
        const run = async (operation: Operation, context: CallContext) => {
          if (operation.input === "b" && isSlow) await never()
          return writing()(operation, context)
        }
        const batch = (deadlineMs?: number) => ({
          operations: keyed("a", "b", "c"),
          run,
          key: "k",
          limits: { deadlineMs },
          ...given,
        })
        expect(told(yield* world.run(batch(1000)))).toEqual(["ROLLED_BACK", "DEADLINE_EXCEEDED", "ROLLED_BACK"])
        isSlow = false
        expect(code(yield* world.run(batch()))).toBe("IDEMPOTENCY_IN_PROGRESS")
        undone.resolve()
        yield* world.pass(100)
        expect(told(yield* world.run(batch()))).toEqual(["ok", "ok", "ok"])
        expect(database.rows).toEqual(["a", "b", "c"])
      }),
    )
  }

  it.effect("whose commit was not answered keeps its keys, in its own record too", () =>
    Effect.gen(function* () {
      const { database, world, given } = setUp(false)
      database.manners.push("unknown, done")
      const batch = () => ({ operations: keyed("a", { input: "b" }), run: writing(), key: "k", ...given })
      const first = yield* world.run(batch())
      expect([first.isCommitUnknown, told(first)]).toEqual([true, ["OUTCOME_UNKNOWN", "OUTCOME_UNKNOWN"]])
      expect(code(yield* world.run(batch()))).toBe("IDEMPOTENCY_IN_PROGRESS")
    }),
  )

  it.effect("one of whose operations has an outcome that nobody knows does not say that of its own commit", () =>
    Effect.gen(function* () {
      const { database, world, given } = setUp(true)
      const hold = { onAmbiguous: () => "hold" as const }
      yield* world.run({ operations: keyed("b"), run: () => crashed, settings: hold })
      yield* world.pass(16_000, 1000)
      const ran = yield* world.run({ operations: keyed("a", "b"), run: writing(), ...given, settings: hold })
      expect([ran.isCommitUnknown, told(ran)]).toEqual([false, ["ROLLED_BACK", "OUTCOME_UNKNOWN"]])
      expect(database.rows).toEqual([])
    }),
  )

  it.effect("is one record, stored in its transaction", () =>
    Effect.gen(function* () {
      const { world, given } = setUp(true)
      yield* world.run({ operations: many(1000, () => undefined), run: writing(), key: "k", ...given })
      expect(world.asked.map(({ call, items }) => [call, items.length])).toEqual([
        ["acquire", 1],
        ["settleIn", 1],
      ])
    }),
  )
})

describe("atomicity groups under the key of a batch", () => {
  it.effect("that were rolled back run again as a whole, and the others do not", () =>
    Effect.gen(function* () {
      for (const inside of [true, false]) {
        const database = new ScriptedDatabase()
        const world = new World({}, inside ? database : undefined)
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
        expect(told(yield* world.run(batch()))).toEqual(["ROLLED_BACK", "NOT_FOUND", "ok", "ok", "alone"])
        isThere = true
        expect(told(yield* world.run(batch()))).toEqual(["ok", "ok", "=ok", "=ok", "=alone"])
        expect((yield* world.run(batch())).completed).toBe(true)
        expect([...database.rows].sort()).toEqual([0, 1, 2, 3])
      }
    }),
  )
})

describe("a codec", () => {
  it.effect("that refuses a result is given less of it, and spoils none beside it", () =>
    Effect.gen(function* () {
      const world = new World({
        codec: {
          encode: (text) => {
            if (text.includes("secret")) throw new Error("not that")
            return `(${text})`
          },
          decode: (text) => text.slice(1, -1),
        },
      })
      const { run, counts } = counting((input) => ({ id: input, more: input === "b" ? "secret" : "public" }))
      const batch = () => ({ operations: keyed("a", "b", { input: "c" }), run, key: "k" })
      const first = yield* world.run(batch())
      expect(first.unrecorded).toBe(false)
      const again = yield* world.run(batch())
      expect(again.completed).toBe(true)
      expect(again.operations.map(({ result }) => result?.value)).toEqual([
        { id: "a", more: "public" },
        { id: "b" },
        { id: "c", more: "public" },
      ])
      expect([...counts.values()]).toEqual([1, 1, 1])
    }),
  )

  it.effect("that refuses even that leaves the operation unrecorded, and its key taken", () =>
    Effect.gen(function* () {
      const codec = {
        encode: (text: string) => {
          if (text.includes('"b"')) throw new Error("not that")
          return text
        },
        decode: (text: string) => text,
      }
      const world = new World({ codec })
      const { run } = counting((input) => ({ id: input }))
      const batch = () => ({ operations: keyed("a", "b"), run })
      const first = yield* world.run(batch())
      expect(first.unrecorded).toBe(true)
      const again = yield* world.run(batch())
      expect(again.operations.map(({ result }) => result?.failure?.code)).toEqual([
        undefined,
        "IDEMPOTENCY_IN_PROGRESS",
      ])
    }),
  )

  it.effect("that answers something else than a text is no reason to run again", () =>
    Effect.gen(function* () {
      const world = new World({ codec: { encode: () => undefined as never, decode: (text) => text } })
      expect((yield* world.run({ operations: keyed("a") })).unrecorded).toBe(true)
      expect(told(yield* world.run({ operations: keyed("a") }))).toEqual(["IDEMPOTENCY_IN_PROGRESS"])
    }),
  )
})

describe("a result", () => {
  it.effect("beyond the cap is replayed without its data", () =>
    Effect.gen(function* () {
      const world = new World({ maxResultBytes: 100 })
      const { run, total } = counting(() => ({ id: "u_1", name: "x".repeat(100) }))
      const batch = () => ({ operations: keyed("a", { input: "b" }), run, key: "k" })
      yield* world.run(batch())
      const again = yield* world.run(batch())
      expect(again.operations.map(({ result }) => result?.value)).toEqual([{ id: "u_1" }, { id: "u_1" }])
      expect(total()).toBe(2)
    }),
  )

  it.effect("for which a batch's record has no room is replayed without its data", () =>
    Effect.gen(function* () {
      const world = new World({ maxResultBytes: 1e7 })
      const { run, total } = counting((input) => ({ id: input, name: "x".repeat(3 * 2 ** 20) }))
      const batch = () => ({ operations: many(4, () => undefined), run, key: "k" })
      yield* world.run(batch())
      const again = yield* world.run(batch())
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
    it.effect(`that is ${name} is remembered, and those beside it`, () =>
      Effect.gen(function* () {
        const world = new World()
        const { run, total } = counting((input) => (input === "odd" ? value() : "fine"))
        const batch = () => ({ operations: keyed("a", { input: "odd" }, { k: "c", input: "odd" }, "d"), run, key: "k" })
        const first = yield* world.run(batch())
        expect(first.unrecorded).toBe(false)
        const again = yield* world.run(batch())
        expect(again.completed).toBe(true)
        expect(again.operations.map(({ result }) => [result?.outcome, result?.status])).toEqual(
          first.operations.map(({ result }) => [result?.outcome, result?.status]),
        )
        expect([again.operations[0]!.result?.value, again.operations[3]!.result?.value]).toEqual(["fine", "fine"])
        expect(total()).toBe(4)
      }),
    )
  }
})
