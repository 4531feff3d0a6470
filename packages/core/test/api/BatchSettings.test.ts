import { describe, expect, it } from "vitest"
import type { BatchOptions } from "../../src/api/BatchOptions.ts"
import { resolveOptions } from "../../src/api/BatchSettings.ts"
import * as Limits from "../../src/batch/Limits.ts"
import { memoryIdempotencyStore } from "../../src/idempotency/memoryIdempotencyStore.ts"
import * as Plan from "../../src/planning/Plan.ts"
import { FakeDatabase } from "../support/FakeDatabase.ts"

const unitOfWork = new FakeDatabase()

describe("resolveOptions", () => {
  it("has the documented defaults", () => {
    expect(resolveOptions({})).toStrictEqual({
      limits: Limits.defaults,
      concurrency: 10,
      unknownMembers: "refuse",
      strategy: { default: { _tag: "partial" }, choices: [] },
      unitOfWork: undefined,
      transactionSize: undefined,
      idempotency: undefined,
      quota: undefined,
      tenant: undefined,
      mapError: undefined,
      onUnexpected: undefined,
      policies: [],
      planner: Plan.make,
    })
  })

  it("has the documented defaults of idempotency", () => {
    const store = memoryIdempotencyStore()
    const { onAmbiguous, ...settings } = resolveOptions({ tenant: () => "t", idempotency: { store } }).idempotency!
    expect(onAmbiguous({} as Parameters<typeof onAmbiguous>[0])).toBe("retry")
    expect(settings).toStrictEqual({
      store,
      ttlMs: 86_400_000,
      leaseMs: 15_000,
      required: false,
      onStoreError: "refuse",
      maxResultBytes: 65_536,
      sameTransaction: undefined,
      includeQuery: false,
      codec: undefined,
      scope: "tenant",
    })
  })

  it("has the documented defaults of a quota", () => {
    expect(resolveOptions({ quota: { operations: 10, per: "1 minute" } }).quota).toMatchObject({
      policies: [
        {
          policy: "ops",
          limit: 10_000,
          windowMs: 60_000,
          cost: { _tag: "linear", base: 0, perOperation: 1_000 },
        },
      ],
      envelopes: undefined,
      mode: "reject",
      onStoreError: "insure",
      timeoutMs: 1_000,
      insurance: { share: 0.5 },
      fields: { version: "draft-10", legacy: false },
    })
  })

  it("turns durations into milliseconds", () => {
    const { limits } = resolveOptions({ limits: { deadline: "2 minutes", operationTimeout: 500 } })
    expect(limits).toMatchObject({ deadlineMs: 120_000, operationTimeoutMs: 500, receiveTimeoutMs: 60_000 })
  })

  it.each([
    ["sequential", 1],
    ["parallel", Number.POSITIVE_INFINITY],
    [1, 1],
    [250, 250],
  ] as const)("understands the concurrency %s", (concurrency, expected) => {
    expect(resolveOptions({ concurrency }).concurrency).toBe(expected)
  })

  it("understands strategies", () => {
    expect(resolveOptions({ strategy: "partial" }).strategy.default).toEqual({ _tag: "partial" })
    expect(resolveOptions({ strategy: { stopAfter: 3 } }).strategy.default).toEqual({ _tag: "stop-after", failures: 3 })
    expect(resolveOptions({ strategy: "atomic", unitOfWork }).strategy.default).toEqual({ _tag: "atomic" })
    expect(resolveOptions({ clientStrategies: ["stop-after"] }).strategy.choices).toEqual(["stop-after"])
  })

  it("checks the options", () => {
    expect(() => resolveOptions({ limits: { depth: 1 } })).toThrow(`"limits.depth"`)
  })

  it.each<[BatchOptions, string]>([
    [{ strategy: "atomic" }, "unitOfWork"],
    [{ clientStrategies: ["atomic"] }, "unitOfWork"],
    [{ transactionSize: 5 }, "unitOfWork"],
    [{ idempotency: { store: memoryIdempotencyStore() } }, "tenant"],
    [
      { tenant: () => "t", unitOfWork, idempotency: { store: memoryIdempotencyStore(), sameTransaction: true } },
      "sqlIdempotencyStore(db)",
    ],
  ])("refuses %j, which needs %s", (options, needed) => {
    expect(() => resolveOptions(options)).toThrow(TypeError)
    expect(() => resolveOptions(options)).toThrow(needed)
  })
})
