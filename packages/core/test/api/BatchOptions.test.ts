import { describe, expect, it } from "vitest"
import { batchOptions } from "../../src/api/BatchOptions.ts"
import { memoryIdempotencyStore } from "../../src/idempotency/memoryIdempotencyStore.ts"
import { memoryJobs } from "../../src/jobs/memoryJobs.ts"
import { checkOptions } from "../../src/options/checkOptions.ts"
import { FakeDatabase } from "../support/FakeDatabase.ts"

const check = (options: object) => () => checkOptions(batchOptions, options)
const store = memoryIdempotencyStore()
const engine = memoryJobs()

describe("the options that all endpoints share", () => {
  it("pass if they are correct", () => {
    expect(
      check({
        limits: { operations: 5_000, deadline: "2 minutes", operationTimeout: 500, receiveTimeout: "1 minute" },
        concurrency: "parallel",
        strategy: { stopAfter: 3 },
        clientStrategies: ["partial", "atomic", "stop-after"],
        unitOfWork: new FakeDatabase(),
        transactionSize: 10,
        idempotency: { store, ttl: "30 days", lease: 500, onStoreError: "allow", onAmbiguous: () => "hold" },
        quota: {
          policies: [
            { name: "burst", limit: 0.5, per: 1_000, cost: { base: 1, perOperation: 0.125 } },
            { name: "daily", limit: 100, per: "365 days", cost: () => 1 },
            { name: "weighed", limit: 100, per: "1 day", cost: "batch", weights: { import: 5 } },
          ],
          batches: { limit: 1, per: "1 second" },
        },
        jobs: { engine, workers: 0, keepResults: "90 days", maxAge: "90 days", shutdownTimeout: 0 },
        tenant: () => "t",
        mapError: () => undefined,
        onUnexpected: () => {},
        policies: [{ name: "p", admit: () => {} }],
        planner: () => {},
      }),
    ).not.toThrow()
  })

  it.each<[string, object]>([
    ["limits.operations", { limits: { operations: 0 } }],
    ["limits.operations", { limits: { operations: 1.5 } }],
    ["limits.operations", { limits: { operations: "1000" } }],
    ["limits.operations", { limits: { operations: Number.POSITIVE_INFINITY } }],
    ["limits.bodyBytes", { limits: { bodyBytes: -1 } }],
    ["limits.operationBytes", { limits: { operationBytes: 0 } }],
    ["limits.depth", { limits: { depth: 2 } }],
    ["limits.deadline", { limits: { deadline: 0 } }],
    ["limits.deadline", { limits: { deadline: 2 ** 31 } }],
    ["limits.operationTimeout", { limits: { operationTimeout: "soon" } }],
    ["limits.receiveTimeout", { limits: { receiveTimeout: null } }],
    ["limits.responseBytes", { limits: { responseBytes: 0 } }],
    ["limits.concurrentBatches", { limits: { concurrentBatches: 0 } }],
    ["limits.items", { limits: { items: 500 } }],
    ["limits", { limits: 500 }],
    ["concurrency", { concurrency: 0 }],
    ["concurrency", { concurrency: 2.5 }],
    ["concurrency", { concurrency: "fast" }],
    ["strategy", { strategy: "all" }],
    ["strategy", { strategy: { stopAfter: 0 } }],
    ["strategy", { strategy: { stopafter: 1 } }],
    ["strategy", { strategy: { stopAfter: 1, atomic: true } }],
    ["clientStrategies", { clientStrategies: ["everything"] }],
    ["clientStrategies", { clientStrategies: "partial" }],
    ["transactionSize", { transactionSize: 0 }],
    ["idempotency.store", { idempotency: {} }],
    ["idempotency.store", { idempotency: { store: {} } }],
    ["idempotency.lease", { idempotency: { store, lease: 99 } }],
    ["idempotency.lease", { idempotency: { store, lease: "61 minutes" } }],
    ["idempotency.ttl", { idempotency: { store, ttl: 0 } }],
    ["idempotency.onStoreError", { idempotency: { store, onStoreError: "insure" } }],
    ["idempotency.onAmbiguous", { idempotency: { store, onAmbiguous: "maybe" } }],
    ["idempotency.codec", { idempotency: { store, codec: { encode: () => "" } } }],
    ["quota.operations", { quota: { operations: 0, per: 1_000 } }],
    ["quota.per", { quota: { operations: 1, per: "soon" } }],
    ["quota.timeout", { quota: { timeout: "2 minutes" } }],
    ["quota.onStoreError", { quota: { onStoreError: "insured" } }],
    ["quota.policies[0].name", { quota: { policies: [{ name: "a b", limit: 1, per: 1 }] } }],
    ["quota.policies[0].limit", { quota: { policies: [{ name: "a", limit: 1.0001, per: 1 }] } }],
    ["quota.policies[0].cost", { quota: { policies: [{ name: "a", limit: 1, per: 1, cost: { base: 1 } }] } }],
    ["quota.batches.per", { quota: { batches: { limit: 1 } } }],
    ["jobs.engine", { jobs: {} }],
    ["jobs.engine.queue", { jobs: { engine: { store: engine.store } } }],
    ["jobs.workers", { jobs: { engine, workers: 1_001 } }],
    ["jobs.keepResults", { jobs: { engine, keepResults: "1.5 millis" } }],
    ["jobs.maxAge", { jobs: { engine, maxAge: 0 } }],
    ["jobs.shutdownTimeout", { jobs: { engine, shutdownTimeout: "2 hours" } }],
    ["tenant", { tenant: "acme" }],
    ["mapError", { mapError: {} }],
    ["onUnexpected", { onUnexpected: true }],
    ["policies", { policies: [{ name: "x" }] }],
    ["planner", { planner: "plan" }],
    ["unitOfWork", { unitOfWork: {} }],
    ["concurency", { concurency: 5 }],
  ])("name %s if it is wrong: %j", (path, options) => {
    expect(check(options)).toThrow(TypeError)
    expect(check(options)).toThrow(`"${path}"`)
  })

  it("say what is wrong and what is expected", () => {
    expect(check({ limit: { depth: 5 } })).toThrow(`Unknown option "limit". Did you mean "limits"?`)
    expect(check({ deadline: 5 })).toThrow(`Unknown option "deadline". Did you mean "limits.deadline"?`)
    expect(check({ limits: { deadlineMs: 5 } })).toThrow(
      `Unknown option "limits.deadlineMs". Did you mean "limits.deadline"?`,
    )
    expect(check({ limits: { deadline: -5 } })).toThrow(
      `"limits.deadline" must be a duration such as "30 seconds" or milliseconds; got -5`,
    )
    expect(check({ strategy: { stopAfter: 0 } })).toThrow(
      `"strategy" must be "partial", "atomic" or { stopAfter: a whole number of at least 1 }; got {"stopAfter":0}`,
    )
  })

  it.each<[string, object]>([
    ["Kysely", { selectFrom: () => {}, transaction: () => {} }],
    ["pg", { query: () => {}, connect: () => {} }],
    ["mysql2", { execute: () => {}, query: () => {} }],
    ["better-sqlite3", { prepare: () => {}, transaction: () => {} }],
    ["openDatabase", { db: { selectFrom: () => {} }, dialect: "sqlite" }],
  ])("name the function that makes a unit of work of a database of %s", (_, unitOfWork) => {
    expect(check({ unitOfWork })).toThrow(
      `"unitOfWork" must be an object with the methods isTransient and run; got an object. Use sqlUnitOfWork(db)`,
    )
  })
})
