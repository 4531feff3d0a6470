/**
 * The contract of the port `JobStore`, as tests. Needs vitest and fast-check.
 *
 * **Details** Test a store against its real server and through two clients. The cases pass the time (`now`) with their calls,
 * so that they need not wait. They delete all jobs of the store, so that it must not be shared with other tests.
 *
 * **Example** (A store of your own)
 * ```ts
 * import { JobStoreContract } from "@multistatus/core/testing"
 *
 * JobStoreContract.suite("my store", async () => ({ store: await open(), other: await open(), close }))
 * ```
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { memoryJobStore } from "../../jobs/memoryJobStore.ts"
import { cancelling } from "./cancelling.ts"
import { ending } from "./ending.ts"
import { type Backend, clear } from "./Fixture.ts"
import { limits } from "./limits.ts"
import { results } from "./results.ts"
import { running } from "./running.ts"
import { check, outcomes, type RunOptions } from "./runs.ts"
import { sharing } from "./sharing.ts"
import { submitting } from "./submitting.ts"
import { time } from "./time.ts"
import { transcriptOf } from "./transcript.ts"
import { transactions } from "./transactions.ts"

export type { Backend } from "./Fixture.ts"
export { check, outcomes, type RunOptions } from "./runs.ts"
export { bothSucceeded, extentOf, hashOf, keepMs, newChunks, newJob, noLimits } from "./samples.ts"
export { transcriptOf } from "./transcript.ts"

/** Options of the suite. */
export interface SuiteOptions extends RunOptions {
  /** Whether the store takes part in database transactions; needs `Backend.transaction`. Default false. */
  readonly transactional?: boolean | undefined
  /** Whether the store has `due`. Default true. */
  readonly sharesTenants?: boolean | undefined
  /** Number of random commands in the comparison with the memory store. Default 2,000. */
  readonly commands?: number | undefined
  /** Time limit for random commands, in milliseconds. Default 120,000. */
  readonly timeout?: number | undefined
}

/** Declares the tests of a store. */
export const suite = (
  name: string,
  make: () => Backend | Promise<Backend>,
  { transactional = false, sharesTenants = true, commands = 2_000, timeout = 120_000, ...run }: SuiteOptions = {},
): void => {
  describe(`JobStore (${name})`, () => {
    let opened: Backend | undefined
    const backend = () => {
      if (opened === undefined) throw new Error("The store was not opened")
      return opened
    }
    beforeAll(async () => {
      opened = await make()
    })
    afterAll(() => opened?.close?.())
    beforeEach(() => clear(backend().store))

    submitting(backend)
    limits(backend)
    running(backend)
    ending(backend)
    cancelling(backend)
    results(backend)
    time(backend)
    if (sharesTenants) sharing(backend)
    transactions(backend, transactional)

    it("answers random commands as the memory store does", { timeout }, async () => {
      const expected = transcriptOf(memoryJobStore(), commands)
      for await (const answer of transcriptOf(backend().store, commands)) {
        expect(JSON.parse(answer)).toEqual(JSON.parse(String((await expected.next()).value)))
      }
    })

    it("answers random commands of several workers as the model does", { timeout }, async () => {
      const counts = await check(backend(), run)
      // Fewer runs need not reach every outcome.
      const isLong = (run.runs ?? 300) >= 100
      if (isLong) expect(outcomes.filter((outcome) => !counts.has(outcome))).toEqual([])
    })
  })
}
