import { describe, expect, it } from "vitest"
import { type BatchOptions, resolveOptions } from "../../src/api/BatchOptions.ts"
import * as Limits from "../../src/batch/Limits.ts"
import * as Plan from "../../src/planning/Plan.ts"

// Options come from programs without types too.
const settleAnything = (options: unknown) => resolveOptions(options as BatchOptions)

const unitOfWork = { handle: undefined, isTransient: () => false, run: async () => "committed" as const }

describe("settle", () => {
  it("has the defaults that are documented", () => {
    expect(resolveOptions({})).toMatchObject({
      limits: Limits.defaults,
      concurrency: 10,
      strategy: { standard: { _tag: "partial" }, choices: [] },
      policies: [],
      planner: Plan.make,
      tenant: undefined,
      mapError: undefined,
      onUnexpected: undefined,
    })
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

  it.each<[Readonly<Record<string, unknown>>, string]>([
    [{ limits: { operations: 0 } }, "operations"],
    [{ limits: { operations: 1.5 } }, "operations"],
    [{ limits: { operations: "1000" } }, "operations"],
    [{ limits: { operations: Number.NaN } }, "operations"],
    [{ limits: { operations: Number.POSITIVE_INFINITY } }, "operations"],
    [{ limits: { bodyBytes: 0 } }, "bodyBytes"],
    [{ limits: { bodyBytes: -1 } }, "bodyBytes"],
    [{ limits: { operationBytes: 0 } }, "operationBytes"],
    [{ limits: { depth: 2 } }, "depth"],
    [{ limits: { deadlineMs: 0 } }, "deadlineMs"],
    [{ limits: { deadlineMs: 2 ** 31 } }, "deadlineMs"],
    [{ limits: { operationTimeoutMs: 0 } }, "operationTimeoutMs"],
    [{ limits: { receiveMs: null } }, "receiveMs"],
    [{ limits: { responseBytes: 0 } }, "responseBytes"],
    [{ limits: { concurrentBatches: 0 } }, "concurrentBatches"],
    [{ limits: { items: 500 } }, "items"],
    [{ limits: 500 }, "limits"],
    [{ concurrency: 0 }, "concurrency"],
    [{ concurrency: -1 }, "concurrency"],
    [{ concurrency: 2.5 }, "concurrency"],
    [{ concurrency: "fast" }, "concurrency"],
    [{ strategy: "all" }, "strategy"],
    [{ strategy: { stopAfter: 0 } }, "stopAfter"],
    [{ strategy: { stopafter: 1 } }, "strategy"],
    [{ clientStrategies: ["everything"] }, "clientStrategies"],
    [{ clientStrategies: "partial" }, "clientStrategies"],
    [{ tenant: "acme" }, "tenant"],
    [{ mapError: {} }, "mapError"],
    [{ onUnexpected: true }, "onUnexpected"],
    [{ policies: [{ name: "x" }] }, "admit"],
    [{ planner: "plan" }, "planner"],
    [{ unitOfWork: {} }, "unitOfWork"],
    [{ concurency: 5 }, "concurency"],
    [{ maxOperations: 5 }, "maxOperations"],
  ])("throws for %j and names %s", (options, name) => {
    expect(() => settleAnything(options)).toThrow(TypeError)
    expect(() => settleAnything(options)).toThrow(name)
  })

  it("names every wrong option at once", () => {
    const wrong = () => settleAnything({ concurrency: 0, limits: { depth: 1 } })
    expect(wrong).toThrow("concurrency")
    expect(wrong).toThrow("depth")
  })

  it.each([{ strategy: "atomic" }, { clientStrategies: ["atomic"] }] as const)(
    "refuses %j without a unit of work",
    (options) => {
      expect(() => resolveOptions(options)).toThrow(TypeError)
      expect(() => resolveOptions(options)).toThrow("unitOfWork")
    },
  )
})
