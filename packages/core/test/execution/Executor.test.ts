import { AsyncLocalStorage } from "node:async_hooks"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { failure, internalFailure } from "../../src/batch/Failure.ts"
import { isFulfilled, type Operation } from "../../src/batch/Operation.ts"
import { OperationResult } from "../../src/batch/OperationResult.ts"
import { AsyncContext } from "../../src/platform/AsyncContext.ts"
import type { HandlerOutput, CallContext } from "../../src/batch/Dispatcher.ts"
import { endings, execute, operations } from "../support/execute.ts"
import { dependsOn, randomOperations } from "../support/randomOperations.ts"

const good = OperationResult.success("done")
const bad = OperationResult.error(failure("CONFLICT", "m"))

/** Ways in which a handler may take its time. */
const manners = {
  value: (answer: () => OperationResult): HandlerOutput<OperationResult> => answer(),
  microtask: async (answer: () => OperationResult) => answer(),
  microtasks: async (answer: () => OperationResult) => {
    for (let at = 0; at < 5; at++) await undefined
    return answer()
  },
  turn: async (answer: () => OperationResult) => {
    await new Promise((resolve) => setImmediate(resolve))
    return answer()
  },
  effect: (answer: () => OperationResult) => Effect.sync(answer),
  fiber: (answer: () => OperationResult) => Effect.andThen(Effect.yieldNow, Effect.sync(answer)),
}

const behaviours = fc.infiniteStream(
  fc.record({
    manner: fc.constantFrom(...Object.values(manners)),
    end: fc.constantFrom("good", "good", "bad", "throw"),
  }),
)

describe("execute", () => {
  it("runs every operation at most once, after what it depends on and what came before on its target", async () => {
    await fc.assert(
      fc.asyncProperty(
        randomOperations(),
        behaviours,
        fc.constantFrom(1, 2, 10, Number.POSITIVE_INFINITY),
        fc.boolean(),
        async (make, behaviours, concurrency, coalesce) => {
          const all = make()
          const plans = all.map(() => behaviours.next().value)
          const begun: Array<Operation> = []
          const running = new Set<Operation>()
          // What a handler throws stays with its operation, so what it finds wrong is told afterwards.
          const wrong: Array<string> = []
          const begin = (operation: Operation) => {
            if (begun.includes(operation)) wrong.push(`${operation.id} ran twice`)
            if (!operation.dependsOn.every(isFulfilled)) wrong.push(`${operation.id} ran before what it depends on`)
            for (const other of running) {
              if (other.orderKey !== undefined && other.orderKey === operation.orderKey)
                wrong.push(`${operation.id} ran beside ${other.id}`)
            }
            begun.push(operation)
            running.add(operation)
          }
          const end = (operation: Operation) => {
            running.delete(operation)
            if (plans[operation.index]!.end === "throw") throw new Error("bug")
            return plans[operation.index]!.end === "good" ? good : bad
          }
          const run = (operation: Operation) => {
            begin(operation)
            return plans[operation.index]!.manner(() => end(operation))
          }
          const runMany = (many: ReadonlyArray<Operation>) => {
            for (const operation of many) begin(operation)
            return many.map((operation) => {
              running.delete(operation)
              return plans[operation.index]!.end === "good" ? good : bad
            })
          }
          await Effect.runPromise(execute(all, coalesce ? { run, runMany } : { run }, { concurrency }))
          expect(wrong).toEqual([])
          expect(all.map(({ index }) => index)).toEqual(all.map((_, index) => index))
          for (const operation of all) {
            const met = operation.dependsOn.every(isFulfilled)
            expect(begun.includes(operation)).toBe(met)
            if (!met)
              expect(operation.result).toMatchObject({ outcome: "skipped", failure: { code: "FAILED_DEPENDENCY" } })
            const wanted = plans[operation.index]!.end === "good" ? "success" : "error"
            if (met) expect(operation.result?.outcome).toBe(wanted)
          }
        },
      ),
      { numRuns: 200 },
    )
  })

  it("gives every operation that depends on no failed one the result that it has alone", async () => {
    await fc.assert(
      fc.asyncProperty(randomOperations(), behaviours, async (make, behaviours) => {
        const all = make()
        const plans = all.map(() => behaviours.next().value)
        const run = (operation: Operation) =>
          plans[operation.index]!.manner(() => {
            if (plans[operation.index]!.end === "throw") throw new Error("bug")
            if (plans[operation.index]!.end === "bad") return bad
            return OperationResult.success(`${operation.action} ${operation.index} ${operation.orderKey}`)
          })
        await Effect.runPromise(execute(all, { run }))
        for (const operation of all) {
          const failed = all.filter(({ index }) => plans[index]!.end !== "good")
          if (failed.some((other) => other === operation || dependsOn(operation, other))) continue
          expect(operation.result?.value).toBe(`${operation.action} ${operation.index} ${operation.orderKey}`)
        }
      }),
      { numRuns: 200 },
    )
  })

  it.each([1, 2, 7])("runs %i at once and no more", async (concurrency) => {
    let running = 0
    let most = 0
    const run = async () => {
      most = Math.max(most, ++running)
      await new Promise((resolve) => setTimeout(resolve, 1))
      running--
      return good
    }
    const all = operations(30)
    await Effect.runPromise(execute(all, { run }, { concurrency }))
    expect(most).toBe(concurrency)
    expect(endings(all)).toEqual(all.map(() => "success"))
  })

  it("runs all at once without a bound", async () => {
    let running = 0
    const everyone = Promise.withResolvers<OperationResult>()
    const run = () => {
      if (++running === 500) everyone.resolve(good)
      return everyone.promise
    }
    await Effect.runPromise(execute(operations(500), { run }, { concurrency: Number.POSITIVE_INFINITY }))
    expect(running).toBe(500)
  })

  it("begins the next operation while a slow one still runs", async () => {
    const slow = Promise.withResolvers<OperationResult>()
    const run = ({ index }: Operation) => {
      if (index === 9) slow.resolve(good)
      return index === 0 ? slow.promise : good
    }
    const all = operations(10)
    await Effect.runPromise(execute(all, { run }, { concurrency: 2 }))
    expect(endings(all)).toEqual(all.map(() => "success"))
  })

  it("runs operations in request order, one after another, where they are to be sequential", async () => {
    const log: Array<string> = []
    const run = async ({ index }: Operation) => {
      log.push(`begin ${index}`)
      await undefined
      log.push(`end ${index}`)
      return good
    }
    await Effect.runPromise(execute(operations(3), { run }, { concurrency: 1 }))
    expect(log).toEqual(["begin 0", "end 0", "begin 1", "end 1", "begin 2", "end 2"])
  })

  it("runs none that has its result already", async () => {
    const all = operations(3)
    all[1]!.result = bad
    const ran: Array<number> = []
    const run = ({ index }: Operation) => (ran.push(index), good)
    await Effect.runPromise(execute(all, { run }))
    expect(ran).toEqual([0, 2])
    expect(all[1]!.result).toBe(bad)
  })

  it("skips what depends on a failed operation, transitively, and names it", async () => {
    const all = operations(4)
    const depend = (from: number, to: number, accept: ReadonlyArray<number> = []) =>
      Object.assign(all[from]!, { dependsOn: [{ operation: all[to], accept }] })
    depend(1, 0)
    depend(2, 1)
    depend(3, 0, [409])
    await Effect.runPromise(execute(all, { run: ({ index }) => (index === 0 ? bad : good) }))
    expect(endings(all)).toEqual([
      "error CONFLICT",
      "skipped FAILED_DEPENDENCY",
      "skipped FAILED_DEPENDENCY",
      "success",
    ])
    expect(all[1]!.result?.failure?.message).toBe(`Not run: "op-0" did not succeed`)
    expect(all[2]!.result?.failure?.message).toBe(`Not run: "op-1" did not succeed`)
  })

  const deaths: Readonly<Record<string, () => HandlerOutput<OperationResult>>> = {
    "throws at once": () => {
      throw new Error("bug")
    },
    rejects: async () => {
      throw new Error("bug")
    },
    "dies as an effect": () => Effect.die(new Error("bug")),
    "throws inside an effect": () =>
      Effect.sync(() => {
        throw new Error("bug")
      }),
    "fails as an effect, past its type": () =>
      Effect.fail(new Error("bug")) as unknown as Effect.Effect<OperationResult>,
  }

  it.each(Object.entries(deaths))("keeps a defect of a handler that %s with its operation", async (_, die) => {
    const all = operations(5)
    const heard: Array<readonly [unknown, number]> = []
    const onDefect = (defect: unknown, { index }: Operation) => {
      heard.push([(defect as Error).message, index])
      return OperationResult.error(internalFailure())
    }
    await Effect.runPromise(execute(all, { run: ({ index }) => (index === 2 ? die() : good) }, { onDefect }))
    expect(endings(all)).toEqual(["success", "success", "error INTERNAL", "success", "success"])
    expect(heard).toEqual([["bug", 2]])
  })

  it("interrupts the handlers when it is interrupted", async () => {
    const all = operations(3)
    let interrupted = 0
    const signals: Array<AbortSignal> = []
    const run = ({ index }: Operation, call: CallContext): HandlerOutput<OperationResult> => {
      if (index === 0) return Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++))
      signals.push(call.signal)
      return new Promise(() => {})
    }
    const program = Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(execute(all, { run }, { concurrency: 2 }))
      yield* Effect.sleep(5)
      fiber.interruptUnsafe()
      yield* Effect.sleep(5)
    })
    await Effect.runPromise(program)
    expect(interrupted).toBe(1)
    expect(signals.map(({ aborted }) => aborted)).toEqual([true])
    expect(endings(all).slice(2)).toEqual(["skipped DEADLINE_EXCEEDED"])
  })

  it("keeps the asynchronous context of the batch in every handler, and handlers out of each other's", async () => {
    const storage = new AsyncLocalStorage<string>()
    const seen = new Map<string, Array<string | undefined>>()
    const batch = (name: string) =>
      storage.run(name, () => {
        const values: Array<string | undefined> = []
        seen.set(name, values)
        const run = async ({ index }: Operation) => {
          values.push(storage.getStore())
          storage.enterWith(`${name} ${index}`)
          await new Promise((resolve) => setTimeout(resolve, 1))
          values.push(storage.getStore()?.split(" ")[0])
          return good
        }
        const context = Layer.succeed(AsyncContext, () => AsyncLocalStorage.snapshot())
        return Effect.runPromise(Effect.provide(execute(operations(20), { run }, { concurrency: 3 }), context))
      })
    await Promise.all([batch("a"), batch("b")])
    expect(seen.get("a")).toEqual(Array.from({ length: 40 }, () => "a"))
    expect(seen.get("b")).toEqual(Array.from({ length: 40 }, () => "b"))
  })

  // A slice is 5 ms, 250 of these operations; on a busy machine it holds fewer. What is slow then is not the pool.
  const inASlice = 1_000

  it.each([
    ["values", manners.value],
    ["promises", manners.microtask],
    ["effects", manners.effect],
  ])("lets others have the event loop while thousands of operations answer with %s alone", async (_, manner) => {
    let begun = 0
    let largest = 0
    let last = 0
    let ended = false
    const turn = () => {
      largest = Math.max(largest, begun - last)
      last = begun
      if (!ended) setImmediate(turn)
    }
    setImmediate(turn)
    const run = () => {
      begun++
      const until = performance.now() + 0.02
      while (performance.now() < until);
      return manner(() => good)
    }
    const all = operations(10_000)
    await Effect.runPromise(execute(all, { run }))
    ended = true
    turn()
    expect(endings(all)).toEqual(all.map(() => "success"))
    expect(largest).toBeLessThan(inASlice)
  })

  it("makes no AbortSignal that nobody looks at, and always the same one", async () => {
    const original = globalThis.AbortController
    let made = 0
    globalThis.AbortController = class extends original {
      constructor() {
        super()
        made++
      }
    }
    try {
      const run = ({ index }: Operation, call: CallContext) => {
        if (index === 0) expect(call.signal).toBe(call.signal)
        return good
      }
      await Effect.runPromise(execute(operations(100), { run }, { operationTimeoutMs: 1_000 }))
    } finally {
      globalThis.AbortController = original
    }
    expect(made).toBe(1)
  })
})
