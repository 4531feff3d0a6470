import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { OperationResult } from "../../src/batch/OperationResult.ts"
import {
  type BatchOptions,
  countingHandler,
  IdempotencyHarness,
  keyed,
  neverAnswers,
  outcomes,
} from "../support/IdempotencyHarness.ts"

/** How a batch is stopped while its first operation runs. `code` is that of the result of this operation. */
interface Stop {
  readonly code: string
  readonly limits?: BatchOptions["limits"]
  /** Runs when the first operation begins. */
  readonly act?: (controllers: { readonly job: AbortController; readonly client: AbortController }) => unknown
}

// The table of `docs/idempotency.md`, section "What stops an operation".
const stops: Readonly<Record<string, Stop>> = {
  "the operation timed out": { code: "TIMEOUT", limits: { operationTimeout: 100 } },
  "the deadline of the batch passed": { code: "DEADLINE_EXCEEDED", limits: { deadline: 100 } },
  "the job was cancelled": { code: "CANCELLED", act: ({ job }) => job.abort("The job was cancelled") },
}

const interrupt = (harness: IdempotencyHarness, { act, limits }: Stop, settings: BatchOptions["settings"]) => {
  const controllers = { job: new AbortController(), client: new AbortController() }
  const run = () => {
    act?.(controllers)
    return neverAnswers()
  }
  return harness.run({
    operations: keyed("begun", "waiting"),
    run,
    stop: controllers.job.signal,
    signal: controllers.client.signal,
    options: { concurrency: 1 },
    ...(limits !== undefined && { limits }),
    ...(settings !== undefined && { settings }),
  })
}

describe.each(Object.entries(stops))("where %s, an operation that had begun", (_, stop) => {
  it.effect("says so, and its key is free again when the lease is over", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      const { operations } = yield* interrupt(harness, stop, undefined)
      expect(operations[0]!.result).toMatchObject({ outcome: "error", failure: { code: stop.code } })
      expect(operations[0]!.result!.failure!.message).toContain("had begun, and its outcome is unknown")
      const { run, total } = countingHandler()
      expect(outcomes(yield* harness.run({ operations: keyed("begun"), run }))).toEqual(["IDEMPOTENCY_IN_PROGRESS"])
      expect(total()).toBe(0)
      yield* harness.advance(16_000, 1000)
      yield* harness.run({ operations: keyed("begun"), run })
      expect(total()).toBe(1)
    }),
  )

  it.effect("never runs again under hold", () =>
    Effect.gen(function* () {
      const settings = { onAmbiguous: () => "hold" as const }
      const harness = new IdempotencyHarness(settings)
      yield* interrupt(harness, stop, settings)
      yield* harness.advance(16_000, 1000)
      const { run, total } = countingHandler()
      expect(outcomes(yield* harness.run({ operations: keyed("begun"), run }))).toEqual(["OUTCOME_UNKNOWN"])
      expect(total()).toBe(0)
    }),
  )
})

describe("an operation that had not begun when its job was cancelled", () => {
  it.effect("says that it was skipped, and its key is free at once", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness({ onAmbiguous: () => "hold" })
      const { operations } = yield* interrupt(harness, stops["the job was cancelled"]!, undefined)
      expect(operations[1]!.result).toMatchObject({ outcome: "skipped", failure: { code: "CANCELLED" } })
      const { run, total } = countingHandler()
      yield* harness.run({ operations: keyed("waiting"), run })
      expect(total()).toBe(1)
    }),
  )
})

describe("an operation whose client has disconnected", () => {
  it.effect("runs to its end, and its result is stored", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      const client = new AbortController()
      const run = async () => {
        client.abort()
        await new Promise((resolve) => setImmediate(resolve))
        return OperationResult.success("done")
      }
      yield* harness.run({ operations: keyed("begun"), run, signal: client.signal })
      expect(outcomes(yield* harness.run({ operations: keyed("begun") }))).toEqual(["replayed done"])
    }),
  )
})

describe("an operation that lost its connection", () => {
  const lost = () => {
    throw new Error("ECONNRESET")
  }

  it.effect("never runs again under hold", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness({ onAmbiguous: () => "hold" })
      yield* harness.run({ operations: keyed("begun"), run: lost })
      yield* harness.advance(16_000, 1000)
      expect(outcomes(yield* harness.run({ operations: keyed("begun") }))).toEqual(["OUTCOME_UNKNOWN"])
    }),
  )

  it.effect("may run again at once otherwise, because its handler has ended", () =>
    Effect.gen(function* () {
      const harness = new IdempotencyHarness()
      yield* harness.run({ operations: keyed("begun"), run: lost })
      expect(outcomes(yield* harness.run({ operations: keyed("begun") }))).toEqual(["done"])
    }),
  )
})
