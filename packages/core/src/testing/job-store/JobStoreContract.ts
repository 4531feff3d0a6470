/**
 * What a store of jobs owes, as tests: the contract of the port `JobStore`. Needs vitest and fast-check.
 *
 * **Details** A store is tested as its users have it: against its real server, through two clients. The cases pass the
 * time with their calls (`now`), so that nobody waits for jobs to be over. Jobs of other clients must not be there: the
 * cases sweep.
 *
 * **Example** (A store of one's own)
 * ```ts
 * import { JobStoreContract } from "@multistatus/core/testing"
 *
 * JobStoreContract.suite("mine", async () => ({ store: await open(), other: await open(), close }))
 * ```
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { memoryJobStore } from "../../jobs/memoryJobStore.ts"
import { admission } from "./admission.ts"
import { ending } from "./ending.ts"
import { type Backend, clear } from "./Fixture.ts"
import { results as reading } from "./results.ts"
import { running } from "./running.ts"
import { check, outcomes, type RunOptions } from "./runs.ts"
import { submitting } from "./submitting.ts"
import { time } from "./time.ts"
import { transcriptOf } from "./transcript.ts"
import { transactions } from "./transactions.ts"

export type { Backend } from "./Fixture.ts"
export { check, outcomes, type RunOptions } from "./runs.ts"
export { both, extentOf, hashOf, keepMs, newChunks, newJob, noLimits, results } from "./samples.ts"
export { transcriptOf } from "./transcript.ts"

/** How a store is put to the test. */
export interface SuiteOptions extends RunOptions {
  /** Whether calls take part in transactions of a database; needs `Backend.transaction`. Default false. */
  readonly transactional?: boolean | undefined
  /** Random commands in which the store is compared with the one in memory. Default 2,000. */
  readonly commands?: number | undefined
  /** Milliseconds that random commands may take. Default 120,000. */
  readonly timeout?: number | undefined
}

/** Declares the tests of a store. */
export const suite = (
  name: string,
  make: () => Backend | Promise<Backend>,
  { transactional = false, commands = 2_000, timeout = 120_000, ...run }: SuiteOptions = {},
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
    admission(backend)
    running(backend)
    ending(backend)
    reading(backend)
    time(backend)
    transactions(backend, transactional)

    it("answers random commands as the store in memory does", { timeout }, async () => {
      const expected = transcriptOf(memoryJobStore(), commands)
      for await (const answer of transcriptOf(backend().store, commands)) {
        expect(JSON.parse(answer)).toEqual(JSON.parse(String((await expected.next()).value)))
      }
    })

    it(
      "answers random commands of several workers as the model does, and comes across everything that can happen",
      { timeout },
      async () => {
        const counts = await check(backend(), run)
        // So few commands cannot be held to come across everything.
        const isLong = (run.runs ?? 300) >= 100
        if (isLong) expect(outcomes.filter((outcome) => !counts.has(outcome))).toEqual([])
      },
    )
  })
}
