import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import * as BatchEndpoint from "../../src/api/BatchEndpoint.ts"
import { ConcurrencyLimit } from "../../src/api/ConcurrencyLimit.ts"
import * as Limits from "../../src/batch/Limits.ts"
import { BatchLimits } from "../../src/batch/BatchLimits.ts"
import { OperationResult } from "../../src/batch/OperationResult.ts"
import { StrategySelector } from "../../src/batch/StrategySelector.ts"
import { TenantResolver } from "../../src/batch/TenantResolver.ts"
import { BatchEngine } from "../../src/engine/BatchEngine.ts"
import type { BatchServices } from "../../src/engine/BatchServices.ts"
import { ErrorHandling } from "../../src/engine/ErrorHandling.ts"
import { Telemetry } from "../../src/engine/Telemetry.ts"
import { failure } from "../../src/batch/Failure.ts"
import { BatchPolicies } from "../../src/execution/BatchPolicies.ts"
import { Executor } from "../../src/execution/Executor.ts"
import { OperationConcurrency } from "../../src/execution/OperationConcurrency.ts"
import { UnitOfWork } from "../../src/execution/UnitOfWorkService.ts"
import * as OperationsCodec from "../../src/formats/OperationsCodec.ts"
import { BatchParser } from "../../src/http/BatchParser.ts"
import { Idempotency } from "../../src/idempotency/Idempotency.ts"
import { IdempotencyStore } from "../../src/idempotency/IdempotencyStoreService.ts"
import { memoryIdempotencyStore } from "../../src/idempotency/memoryIdempotencyStore.ts"
import { ChunkQueue } from "../../src/jobs/ChunkQueueService.ts"
import { Jobs } from "../../src/jobs/Jobs.ts"
import { JobStore } from "../../src/jobs/JobStoreService.ts"
import * as Plan from "../../src/planning/Plan.ts"
import { Planner } from "../../src/planning/Planner.ts"
import { Quota } from "../../src/quota/Quota.ts"
import { QuotaStore } from "../../src/quota/QuotaStoreService.ts"
import * as ActionDispatcher from "../../src/resources/ActionDispatcher.ts"
import { resource } from "../../src/resources/Resource.ts"
import { FakeDatabase } from "../support/FakeDatabase.ts"
import { jsonRequest } from "../support/request.ts"

/** The most operations that ran at once. */
class Gauge {
  running = 0
  most = 0

  readonly run = async (): Promise<object> => {
    this.most = Math.max(this.most, ++this.running)
    await new Promise((resolve) => setImmediate(resolve))
    this.running--
    return {}
  }
}

const makeEndpoint = (run: () => unknown = () => ({})) => {
  const things = resource("things", { do: { identified: false, run }, heavy: { identified: false, run } })
  return BatchEndpoint.make({
    name: "things",
    codec: OperationsCodec.make({ keyed: true }),
    dispatcher: (batch) => ActionDispatcher.make(things, batch),
  })
}

const batchOf = (count: number, more: object = {}) => ({
  operations: Array.from({ length: count }, (_, data) => ({ action: "do", data, ...more })),
})

/** Answers a batch. The tenant is the raw request. */
const send = Effect.fnUntraced(function* (
  { handle }: BatchEndpoint.BatchEndpoint,
  value: unknown,
  raw: string = "a",
  headers: Readonly<Record<string, string>> = {},
) {
  const { body, ...response } = yield* handle(
    jsonRequest(value, { raw, headers: { "content-type": "application/json", ...headers } }),
  )
  return { ...response, json: JSON.parse(body) }
})

const tenants = Layer.succeed(TenantResolver, (request) => Effect.succeed(String(request)))

/** Runs a program with the engine, and with services that replace or join its own. */
const withServices = <A, E, R, Provided>(program: Effect.Effect<A, E, R>, services: Layer.Layer<Provided>) => {
  const all = Layer.provideMerge(Layer.fresh(BatchEngine.layer), Layer.merge(services, tenants))
  return Effect.provide(program, all, { local: true })
}

describe("replacing a service takes one layer", () => {
  it.effect("a strategy selector makes batches of less than ten operations atomic", () => {
    const database = new FakeDatabase()
    const offer = { default: { _tag: "partial" }, choices: ["stop-after"] } as const
    const smallIsAtomic = StrategySelector.layerFrom(offer, ({ operations, requested }) =>
      Effect.succeed(requested ?? { _tag: operations.length < 10 ? "atomic" : "partial" }),
    )
    const program = Effect.gen(function* () {
      const endpoint = yield* makeEndpoint()
      const transactionsOf = Effect.fnUntraced(function* (value: unknown) {
        const before = database.begun
        expect((yield* send(endpoint, value)).status).toBe(200)
        return database.begun - before
      })
      expect(yield* transactionsOf(batchOf(9))).toBe(1)
      expect(yield* transactionsOf(batchOf(10))).toBe(0)
      expect(yield* transactionsOf({ ...batchOf(9), stop_after: 1 })).toBe(0)
    })
    return withServices(program, Layer.merge(smallIsAtomic, Layer.succeed(UnitOfWork, database)))
  })

  it.effect("limits come from a service of the application, tenant by tenant", () => {
    class Contracts extends Context.Service<Contracts, { readonly operationsOf: (tenant: string) => number }>()(
      "test/Contracts",
    ) {}
    const limitsOfContract = Layer.unwrap(
      Effect.gen(function* () {
        const { operationsOf } = yield* Contracts
        const { published } = yield* BatchLimits
        return BatchLimits.layerFrom(published, ({ tenant = "" }) =>
          Effect.succeed({ ...published, operations: operationsOf(tenant) }),
        )
      }),
    ).pipe(
      Layer.provide(BatchLimits.layer({ operations: 7 })),
      Layer.provide(Layer.succeed(Contracts, { operationsOf: (tenant) => (tenant === "large" ? 5 : 2) })),
    )
    const program = Effect.gen(function* () {
      const endpoint = yield* makeEndpoint()
      expect((yield* send(endpoint, batchOf(3), "large")).status).toBe(200)
      expect(yield* send(endpoint, batchOf(3), "small")).toMatchObject({ status: 413, json: { limit: 2 } })
      expect(JSON.parse(endpoint.describe().body)).toMatchObject({ limits: { operations: 7 } })
    })
    return withServices(program, limitsOfContract)
  })

  it.effect("the concurrency within a batch follows a gauge", () => {
    let free = 3
    const gauge = new Gauge()
    const program = Effect.gen(function* () {
      const endpoint = yield* makeEndpoint(gauge.run)
      for (const number of [3, 7, 1]) {
        free = number
        gauge.most = 0
        yield* send(endpoint, batchOf(20))
        expect(gauge.most).toBe(number)
      }
      free = 0
      expect((yield* send(endpoint, batchOf(2))).status).toBe(200)
      expect(JSON.parse(endpoint.describe().body)).not.toHaveProperty("concurrency")
    })
    return withServices(
      program,
      Layer.succeed(
        OperationConcurrency,
        Effect.sync(() => free),
      ),
    )
  })

  it.effect("a quota charges by weight", () => {
    const quota = Quota.layer({
      policies: [{ name: "units", limit: 20, per: "1 hour", weights: { heavy: 10 } }],
    })
    const program = Effect.gen(function* () {
      const endpoint = yield* makeEndpoint()
      const [light] = batchOf(1).operations
      const mixed = { operations: [light, { action: "heavy", data: 1 }] }
      expect((yield* send(endpoint, mixed)).headers["ratelimit"]).toContain(`"units";r=9`)
      expect(yield* send(endpoint, mixed)).toMatchObject({ status: 429, json: { code: "RATE_LIMITED" } })
      expect((yield* send(endpoint, mixed, "b")).status).toBe(200)
    })
    return withServices(program, Layer.provide(quota, QuotaStore.layerMemory()))
  })

  it.effect("a planner runs operations one after the other", () => {
    const gauge = new Gauge()
    const oneByOne = Planner.layerFrom((batch, options) => Plan.make(batch, { ...options, concurrency: 1 }))
    const program = Effect.gen(function* () {
      yield* send(yield* makeEndpoint(gauge.run), batchOf(5))
      expect(gauge.most).toBe(1)
    })
    return withServices(program, oneByOne)
  })

  it.effect("an executor rehearses batches without running them", () => {
    let ran = 0
    const rehearsal = Layer.succeed(Executor, {
      execute: ({ groups }) =>
        Effect.sync(() => {
          for (const { operations } of groups) {
            for (const operation of operations) operation.result ??= OperationResult.success({ id: "rehearsed" })
          }
        }),
    })
    const program = Effect.gen(function* () {
      const { json } = yield* send(yield* makeEndpoint(() => ran++), batchOf(2))
      expect(json).toMatchObject({ succeeded: 2, results: [{ id: "rehearsed" }, { id: "rehearsed" }] })
      expect(ran).toBe(0)
    })
    return withServices(program, rehearsal)
  })

  it.effect("a parser reads operations from a header", () => {
    const program = Effect.gen(function* () {
      const { json } = yield* send(yield* makeEndpoint(), undefined, "a", { "x-actions": "do do do" })
      expect(json).toMatchObject({ succeeded: 3 })
    })
    const fromHeader = Layer.succeed(BatchParser, {
      parse: (request, codec, options) => {
        const operations = String(request.headers["x-actions"])
          .split(" ")
          .map((action) => ({ action, data: null }))
        const envelope = { value: { operations }, text: undefined, bytes: undefined }
        return Effect.map(Effect.fromResult(codec.decode(envelope, options)), (batch) => ({ envelope, batch }))
      },
    })
    return withServices(program, fromHeader)
  })

  it.effect("a store keeps keys and results, and completed operations do not run again", () => {
    let ran = 0
    let acquired = 0
    const memory = memoryIdempotencyStore()
    const counted = Layer.succeed(IdempotencyStore, {
      ...memory,
      acquire: (items, times) => {
        acquired += items.length
        return memory.acquire(items, times)
      },
    })
    const program = Effect.gen(function* () {
      const endpoint = yield* makeEndpoint(() => ({ id: String(++ran) }))
      const batch = batchOf(1, { idempotency_key: "k" })
      const first = yield* send(endpoint, batch)
      const again = yield* send(endpoint, batch)
      expect(again.json.results).toEqual([{ ...first.json.results[0], replayed: true }])
      expect({ ran, acquired }).toEqual({ ran: 1, acquired: 2 })
    })
    return withServices(program, Layer.provide(Idempotency.layer(), counted))
  })

  it.effect("telemetry records batches that ran and batches that were refused", () => {
    const log: Array<string> = []
    const telemetry = Layer.succeed(Telemetry, {
      ran: (endpoint, { succeeded }) => Effect.sync(() => log.push(`${endpoint}: ${succeeded} succeeded`)),
      refused: (endpoint, code) => Effect.sync(() => log.push(`${endpoint}: ${code}`)),
      trace: (_endpoint, _operations, run) => run,
    })
    const program = Effect.gen(function* () {
      const endpoint = yield* makeEndpoint()
      yield* send(endpoint, batchOf(2))
      yield* send(endpoint, batchOf(0))
      expect(log).toEqual(["things: 2 succeeded", "things: EMPTY_BATCH"])
    })
    return withServices(program, telemetry)
  })

  it.effect("policies and error handling come from references", () => {
    const refused = OperationResult.error(failure("FORBIDDEN", "No"))
    const first = {
      name: "first",
      admit: ({ batch }: { readonly batch: { readonly operations: ReadonlyArray<{ result?: unknown }> } }) =>
        Effect.sync(() => void (batch.operations[0]!.result = refused)),
    }
    const program = Effect.gen(function* () {
      const endpoint = yield* makeEndpoint(() => {
        throw new Error("taken")
      })
      const { json } = yield* send(endpoint, batchOf(2))
      expect(json.results).toMatchObject([{ error: { code: "FORBIDDEN" } }, { error: { code: "CONFLICT" } }])
    })
    return withServices(
      program,
      Layer.merge(
        Layer.succeed(BatchPolicies, [first]),
        Layer.succeed(ErrorHandling, { mapError: (error) => failure("CONFLICT", String(error)) }),
      ),
    )
  })

  it.effect("a concurrency limit refuses further batches", () => {
    const program = Effect.gen(function* () {
      const endpoint = yield* makeEndpoint(() => new Promise(() => undefined))
      const running = yield* Effect.forkChild(send(endpoint, batchOf(1)), { startImmediately: true })
      yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      expect(yield* send(endpoint, batchOf(1))).toMatchObject({ status: 503, json: { code: "OVERLOADED" } })
      yield* TestClock.adjust("30 seconds")
      expect((yield* Fiber.join(running)).json.results).toMatchObject([{ error: { code: "DEADLINE_EXCEEDED" } }])
    })
    return withServices(program, ConcurrencyLimit.layer({ concurrentBatches: 1 }))
  })
})

describe("jobs", () => {
  it.live("run in the store and the queue of the context, and stop with its scope", () => {
    let closed = 0
    const queue = Layer.effect(
      ChunkQueue,
      Effect.map(ChunkQueue, (memory) => ({
        ...memory,
        close: async () => {
          closed++
          await memory.close()
        },
      })),
    ).pipe(Layer.provide(ChunkQueue.layerMemory()))
    const program = Effect.gen(function* () {
      const endpoint = yield* makeEndpoint()
      const jobs = yield* Jobs
      const taken = yield* send(endpoint, batchOf(3), "a", { prefer: "respond-async" })
      expect(taken.status).toBe(202)
      const ended = yield* Effect.promise(() => jobs.waitForEnd(taken.json.id, 5_000))
      expect(ended).toMatchObject({ state: "succeeded", total: 3 })
    })
    const services = Layer.provide(Jobs.layer({ workers: 1 }), [JobStore.layerMemory(), queue])
    return Effect.map(withServices(program, services), () => expect(closed).toBe(1))
  })

  it.live("leave the limits of a tenant to batches that do not become one", () => {
    const published = Limits.make({ operations: 5 })
    const limits = BatchLimits.layerFrom(published, () => Effect.succeed({ ...published, operations: 2 }))
    const program = Effect.gen(function* () {
      const endpoint = yield* makeEndpoint()
      expect((yield* send(endpoint, batchOf(3))).json).toMatchObject({ code: "TOO_MANY_OPERATIONS", limit: 2 })
      expect((yield* send(endpoint, batchOf(3), "a", { prefer: "respond-async" })).status).toBe(202)
    })
    const jobs = Layer.provide(Jobs.layer({ workers: 0 }), [JobStore.layerMemory(), ChunkQueue.layerMemory()])
    return withServices(program, Layer.merge(limits, jobs))
  })
})

describe("a layer that is made of wrong options", () => {
  it("is a TypeError at once where the options do not depend on other services", () => {
    expect(() => BatchLimits.layer({ operations: 0 })).toThrow(`"operations" must be a whole number`)
    expect(() => Quota.layer({ operations: 5 })).toThrow(`"quota" needs a limit`)
  })

  it.effect("dies with a TypeError where they need a store", () =>
    Effect.gen(function* () {
      const layer = Layer.provide(Idempotency.layer({ sameTransaction: true }), IdempotencyStore.layerMemory())
      const exit = yield* Effect.exit(Effect.scoped(Layer.build(layer)))
      expect(String(exit)).toContain("sameTransaction")
    }),
  )
})

describe("what is still needed", () => {
  it("is in the type of a layer", () => {
    expectTypeOf(BatchEngine.layerNoDeps).toEqualTypeOf<
      Layer.Layer<BatchEngine, never, Planner | Executor | Telemetry>
    >()
    expectTypeOf(BatchEngine.layer).toEqualTypeOf<Layer.Layer<BatchEngine | BatchServices>>()
    expectTypeOf(Quota.layer).returns.toEqualTypeOf<Layer.Layer<Quota, never, QuotaStore>>()
    expectTypeOf(Idempotency.layer).returns.toEqualTypeOf<Layer.Layer<Idempotency, never, IdempotencyStore>>()
    expectTypeOf(Jobs.layer).returns.toEqualTypeOf<Layer.Layer<Jobs, never, JobStore | ChunkQueue>>()
    expectTypeOf(IdempotencyStore.layerMemory).returns.toEqualTypeOf<Layer.Layer<IdempotencyStore>>()
  })

  it("is in the type of an endpoint", () => {
    expectTypeOf(makeEndpoint).returns.toEqualTypeOf<
      Effect.Effect<
        BatchEndpoint.BatchEndpoint,
        never,
        BatchEngine | BatchParser | BatchLimits | StrategySelector | Telemetry
      >
    >()
  })
})
