import { AsyncLocalStorage } from "node:async_hooks"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { failure, internalFailure } from "../../src/batch/Failure.ts"
import { isFulfilled, type Operation } from "../../src/batch/Operation.ts"
import { OperationResult } from "../../src/batch/OperationResult.ts"
import { AsyncContext } from "../../src/platform/AsyncContext.ts"
import type { CallContext, HandlerOutput } from "../../src/batch/Dispatcher.ts"
import { endings, execute, operations } from "../support/execute.ts"
import { dependsOn, randomOperations } from "../support/randomOperations.ts"

const success = OperationResult.success("done")
const failed = OperationResult.error(failure("CONFLICT", "m"))

/** Ways in which a handler may return its result. */
const returnModes = {
  value: (result: () => OperationResult): HandlerOutput<OperationResult> => result(),
  microtask: async (result: () => OperationResult) => result(),
  microtasks: async (result: () => OperationResult) => {
    for (let turn = 0; turn < 5; turn++) await undefined
    return result()
  },
  macrotask: async (result: () => OperationResult) => {
    await new Promise((resolve) => setImmediate(resolve))
    return result()
  },
  effect: (result: () => OperationResult) => Effect.sync(result),
  fiber: (result: () => OperationResult) => Effect.andThen(Effect.yieldNow, Effect.sync(result)),
}

const behaviours = fc.infiniteStream(
  fc.record({
    returnMode: fc.constantFrom(...Object.values(returnModes)),
    ending: fc.constantFrom("success", "success", "failure", "throw"),
  }),
)

describe("execute", () => {
  it("runs every operation at most once, after its dependencies and earlier operations of its key", async () => {
    await fc.assert(
      fc.asyncProperty(
        randomOperations(),
        behaviours,
        fc.constantFrom(1, 2, 10, Number.POSITIVE_INFINITY),
        fc.boolean(),
        async (createOperations, behaviours, concurrency, coalesce) => {
          const all = createOperations()
          const behaviourOf = all.map(() => behaviours.next().value)
          const started: Array<Operation> = []
          const running = new Set<Operation>()
          // An assertion that fails in a handler would only fail its operation, so violations are collected.
          const violations: Array<string> = []
          const start = (operation: Operation) => {
            if (started.includes(operation)) violations.push(`${operation.id} ran twice`)
            if (!operation.dependsOn.every(isFulfilled)) violations.push(`${operation.id} ran before its dependencies`)
            for (const other of running) {
              if (other.orderKey !== undefined && other.orderKey === operation.orderKey)
                violations.push(`${operation.id} ran beside ${other.id}`)
            }
            started.push(operation)
            running.add(operation)
          }
          const end = (operation: Operation) => {
            running.delete(operation)
            if (behaviourOf[operation.index]!.ending === "throw") throw new Error("bug")
            return behaviourOf[operation.index]!.ending === "success" ? success : failed
          }
          const run = (operation: Operation) => {
            start(operation)
            return behaviourOf[operation.index]!.returnMode(() => end(operation))
          }
          const runMany = (group: ReadonlyArray<Operation>) => {
            for (const operation of group) start(operation)
            return group.map((operation) => {
              running.delete(operation)
              return behaviourOf[operation.index]!.ending === "success" ? success : failed
            })
          }
          await Effect.runPromise(execute(all, coalesce ? { run, runMany } : { run }, { concurrency }))
          expect(violations).toEqual([])
          expect(all.map(({ index }) => index)).toEqual(all.map((_, index) => index))
          for (const operation of all) {
            const isRunnable = operation.dependsOn.every(isFulfilled)
            expect(started.includes(operation)).toBe(isRunnable)
            if (!isRunnable)
              expect(operation.result).toMatchObject({ outcome: "skipped", failure: { code: "FAILED_DEPENDENCY" } })
            const expected = behaviourOf[operation.index]!.ending === "success" ? "success" : "error"
            if (isRunnable) expect(operation.result?.outcome).toBe(expected)
          }
        },
      ),
      { numRuns: 200 },
    )
  })

  it("gives every operation without failed dependencies the result of its handler", async () => {
    await fc.assert(
      fc.asyncProperty(randomOperations(), behaviours, async (createOperations, behaviours) => {
        const all = createOperations()
        const behaviourOf = all.map(() => behaviours.next().value)
        const run = (operation: Operation) =>
          behaviourOf[operation.index]!.returnMode(() => {
            if (behaviourOf[operation.index]!.ending === "throw") throw new Error("bug")
            if (behaviourOf[operation.index]!.ending === "failure") return failed
            return OperationResult.success(`${operation.action} ${operation.index} ${operation.orderKey}`)
          })
        await Effect.runPromise(execute(all, { run }))
        for (const operation of all) {
          const failedOperations = all.filter(({ index }) => behaviourOf[index]!.ending !== "success")
          if (failedOperations.some((other) => other === operation || dependsOn(operation, other))) continue
          expect(operation.result?.value).toBe(`${operation.action} ${operation.index} ${operation.orderKey}`)
        }
      }),
      { numRuns: 200 },
    )
  })

  it.each([1, 2, 7])("runs %i at once but not more", async (concurrency) => {
    let running = 0
    let maximum = 0
    const run = async () => {
      maximum = Math.max(maximum, ++running)
      await new Promise((resolve) => setTimeout(resolve, 1))
      running--
      return success
    }
    const all = operations(30)
    await Effect.runPromise(execute(all, { run }, { concurrency }))
    expect(maximum).toBe(concurrency)
    expect(endings(all)).toEqual(all.map(() => "success"))
  })

  it("runs all at once with infinite concurrency", async () => {
    let running = 0
    const result = Promise.withResolvers<OperationResult>()
    const run = () => {
      if (++running === 500) result.resolve(success)
      return result.promise
    }
    await Effect.runPromise(execute(operations(500), { run }, { concurrency: Number.POSITIVE_INFINITY }))
    expect(running).toBe(500)
  })

  it("starts the next operation while a slow one still runs", async () => {
    const slow = Promise.withResolvers<OperationResult>()
    const run = ({ index }: Operation) => {
      if (index === 9) slow.resolve(success)
      return index === 0 ? slow.promise : success
    }
    const all = operations(10)
    await Effect.runPromise(execute(all, { run }, { concurrency: 2 }))
    expect(endings(all)).toEqual(all.map(() => "success"))
  })

  it("runs operations one after another, in request order, with a concurrency of 1", async () => {
    const log: Array<string> = []
    const run = async ({ index }: Operation) => {
      log.push(`start ${index}`)
      await undefined
      log.push(`end ${index}`)
      return success
    }
    await Effect.runPromise(execute(operations(3), { run }, { concurrency: 1 }))
    expect(log).toEqual(["start 0", "end 0", "start 1", "end 1", "start 2", "end 2"])
  })

  it("does not run an operation that has its result already", async () => {
    const all = operations(3)
    all[1]!.result = failed
    const ran: Array<number> = []
    const run = ({ index }: Operation) => (ran.push(index), success)
    await Effect.runPromise(execute(all, { run }))
    expect(ran).toEqual([0, 2])
    expect(all[1]!.result).toBe(failed)
  })

  it("skips operations whose dependencies failed, transitively, and names the dependencies", async () => {
    const all = operations(4)
    const addDependency = (from: number, to: number, accept: ReadonlyArray<number> = []) =>
      Object.assign(all[from]!, { dependsOn: [{ operation: all[to], accept }] })
    addDependency(1, 0)
    addDependency(2, 1)
    addDependency(3, 0, [409])
    await Effect.runPromise(execute(all, { run: ({ index }) => (index === 0 ? failed : success) }))
    expect(endings(all)).toEqual([
      "error CONFLICT",
      "skipped FAILED_DEPENDENCY",
      "skipped FAILED_DEPENDENCY",
      "success",
    ])
    expect(all[1]!.result?.failure?.message).toBe(`Not run: "op-0" did not succeed`)
    expect(all[2]!.result?.failure?.message).toBe(`Not run: "op-1" did not succeed`)
  })

  const defects: Readonly<Record<string, () => HandlerOutput<OperationResult>>> = {
    "throws synchronously": () => {
      throw new Error("bug")
    },
    rejects: async () => {
      throw new Error("bug")
    },
    "returns an effect that dies": () => Effect.die(new Error("bug")),
    "returns an effect that throws": () =>
      Effect.sync(() => {
        throw new Error("bug")
      }),
    "returns an effect that fails in spite of its type": () =>
      Effect.fail(new Error("bug")) as unknown as Effect.Effect<OperationResult>,
  }

  it.each(Object.entries(defects))("fails only the operation of a handler that %s", async (_, throwDefect) => {
    const all = operations(5)
    const reported: Array<{ readonly message: string; readonly index: number }> = []
    const onDefect = (defect: unknown, { index }: Operation) => {
      reported.push({ message: (defect as Error).message, index })
      return OperationResult.error(internalFailure())
    }
    await Effect.runPromise(execute(all, { run: ({ index }) => (index === 2 ? throwDefect() : success) }, { onDefect }))
    expect(endings(all)).toEqual(["success", "success", "error INTERNAL", "success", "success"])
    expect(reported).toEqual([{ message: "bug", index: 2 }])
  })

  it("aborts handlers when it is interrupted", async () => {
    const all = operations(3)
    let interrupted = 0
    const signals: Array<AbortSignal> = []
    const run = ({ index }: Operation, context: CallContext): HandlerOutput<OperationResult> => {
      if (index === 0) return Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++))
      signals.push(context.signal)
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

  it("runs every handler in the asynchronous context of its batch, isolated from other handlers", async () => {
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
          return success
        }
        const context = Layer.succeed(AsyncContext, () => AsyncLocalStorage.snapshot())
        return Effect.runPromise(Effect.provide(execute(operations(20), { run }, { concurrency: 3 }), context))
      })
    await Promise.all([batch("a"), batch("b")])
    expect(seen.get("a")).toEqual(Array.from({ length: 40 }, () => "a"))
    expect(seen.get("b")).toEqual(Array.from({ length: 40 }, () => "b"))
  })

  // A slice of 5 ms has 250 of these operations, and fewer on a busy machine.
  const maximumPerSlice = 1_000

  it.each([
    ["values", returnModes.value],
    ["promises", returnModes.microtask],
    ["effects", returnModes.effect],
  ])("yields to the event loop while thousands of handlers return %s", async (_, returnMode) => {
    let started = 0
    let largest = 0
    let previous = 0
    let ended = false
    const turn = () => {
      largest = Math.max(largest, started - previous)
      previous = started
      if (!ended) setImmediate(turn)
    }
    setImmediate(turn)
    const run = () => {
      started++
      const until = performance.now() + 0.02
      while (performance.now() < until);
      return returnMode(() => success)
    }
    const all = operations(10_000)
    await Effect.runPromise(execute(all, { run }))
    ended = true
    turn()
    expect(endings(all)).toEqual(all.map(() => "success"))
    expect(largest).toBeLessThan(maximumPerSlice)
  })

  it("creates one AbortSignal per call, and only if it is used", async () => {
    const original = globalThis.AbortController
    let created = 0
    globalThis.AbortController = class extends original {
      constructor() {
        super()
        created++
      }
    }
    try {
      const run = ({ index }: Operation, context: CallContext) => {
        if (index === 0) expect(context.signal).toBe(context.signal)
        return success
      }
      await Effect.runPromise(execute(operations(100), { run }, { operationTimeoutMs: 1_000 }))
    } finally {
      globalThis.AbortController = original
    }
    expect(created).toBe(1)
  })
})
