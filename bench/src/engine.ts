/** The engine with trivial handlers, next to loops written by hand. */
import { BatchEngine, BatchMetrics, Executor, Plan } from "@multistatus/core/effect"
import { OperationResult, type Dispatcher, type Operation } from "@multistatus/core/format"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"

import { type Case, measure, print } from "./Rounds.ts"

const runtime = ManagedRuntime.make(Layer.provideMerge(BatchEngine.layer, Executor.layer))

const body = { name: "Alice Smith", email: "alice.smith@example.com", tags: ["a", "b"], age: 42, city: "Springfield" }
const text = JSON.stringify({ action: "create", data: body, note: "some words to make it 150 bytes" })

const operations = (count: number): Array<Operation> =>
  Array.from({ length: count }, (_, index) => ({
    index,
    id: undefined,
    action: "create",
    input: body,
    orderKey: undefined,
    dependsOn: [],
    result: undefined,
  }))

const handler = async (operation: Operation) => operation.index

/** A usual loop: a timer, a race and an AbortController for each operation, ten operations at once. */
const usualLoop = async (count: number): Promise<unknown> => {
  const all = operations(count)
  const results: Array<unknown> = []
  let next = 0
  const worker = async () => {
    while (next < all.length) {
      const operation = all[next++]!
      const controller = new AbortController()
      let timer: NodeJS.Timeout | undefined
      const timeout = new Promise((_, reject) => {
        timer = setTimeout(() => {
          controller.abort()
          reject(new Error("timeout"))
        }, 30_000)
      })
      try {
        results[operation.index] = { ok: true, value: await Promise.race([handler(operation), timeout]) }
      } catch (error) {
        results[operation.index] = { ok: false, error }
      } finally {
        clearTimeout(timer)
      }
    }
  }
  await Promise.all(Array.from({ length: 10 }, worker))
  return results
}

/** A tuned loop: one timer for all operations, and only a promise for each. */
const tunedLoop = (count: number): Promise<unknown> =>
  new Promise((resolve) => {
    const all = operations(count)
    const timer = setTimeout(() => resolve(undefined), 30_000)
    let next = 0
    let running = 0
    let sliceStart = performance.now()
    const pull = () => {
      while (running < 10 && next < all.length) {
        const operation = all[next++]!
        running++
        handler(operation).then(
          (value) => settle(operation, OperationResult.success(value)),
          () => settle(operation, OperationResult.success(undefined)),
        )
      }
      if (running === 0) {
        clearTimeout(timer)
        resolve(all)
      }
    }
    const settle = (operation: Operation, result: OperationResult) => {
      operation.result = result
      running--
      const now = performance.now()
      if (now - sliceStart > 5) {
        setImmediate(() => {
          sliceStart = performance.now()
          pull()
        })
      } else pull()
    }
    pull()
  })

const makeEngine = (run: Dispatcher<unknown>["run"]) => {
  const dispatcher: Dispatcher<unknown> = { coalesces: () => false, run }
  const options = {
    endpoint: "bench",
    metrics: BatchMetrics.recorder("bench"),
    limits: {
      operations: 1e6,
      bodyBytes: 1e9,
      operationBytes: 1e6,
      depth: 64,
      deadlineMs: 30_000,
      operationTimeoutMs: 10_000,
      receiveTimeoutMs: 30_000,
      headerBytes: 16_384,
      dependenciesPerOperation: 10,
      responseBytes: 33_554_432,
      concurrentBatches: undefined,
      concurrentBatchesPerTenant: undefined,
    },
    concurrency: 10,
    planner: Plan.make,
    policies: [],
    unitOfWork: undefined,
    transactionSize: undefined,
    idempotency: undefined,
    mapError: undefined,
    onUnexpected: undefined,
  }
  const execute = Effect.fnUntraced(function* (count: number) {
    const engine = yield* BatchEngine
    const batch = { operations: operations(count), strategy: { _tag: "partial" as const } }
    yield* engine.run({ batch, dispatcher, tenant: undefined, signal: undefined }, options)
  })
  return (count: number) => runtime.runPromise(execute(count))
}

const promises = makeEngine((operation) => handler(operation).then((value) => OperationResult.success(value)))
const effects = makeEngine((operation) => Effect.sync(() => OperationResult.success(operation.index)))

for (const count of [10, 100, 1000, 10_000]) {
  const cases: ReadonlyArray<Case> = [
    { name: "tuned loop by hand (shared timer, yields)", run: () => tunedLoop(count) },
    { name: "engine, async handlers, operation timeout on", run: () => promises(count) },
    { name: "engine, Effect handlers, operation timeout on", run: () => effects(count) },
    { name: "loop by hand (timer, race, AbortController each)", run: () => usualLoop(count) },
    { name: "JSON.parse of the operations", run: async () => Array.from({ length: count }, () => JSON.parse(text)) },
  ]
  print(`${count} operations`, cases, await measure(cases, { rounds: 15, repeat: Math.max(1, 2000 / count) }))
}
await runtime.dispose()
