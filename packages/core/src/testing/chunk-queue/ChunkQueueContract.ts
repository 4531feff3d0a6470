/**
 * What a queue of chunks owes, as tests: the contract of the port `ChunkQueue`. Needs vitest.
 *
 * **Details** A queue is tested as its users have it: against its real server, through two clients. It goes by its own
 * clock, so `promptMs` and `patienceMs` say for how long the cases wait.
 *
 * **Example** (A queue of one's own)
 * ```ts
 * import { ChunkQueueContract } from "@multistatus/core/testing"
 *
 * ChunkQueueContract.suite("mine", async () => ({ queue: await open(), other: await open(), close }), { patienceMs: 60_000 })
 * ```
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { delivering } from "./delivering.ts"
import { failing } from "./failing.ts"
import { type Backend, closeAll } from "./Fixture.ts"
import { transactions } from "./transactions.ts"

export type { Backend } from "./Fixture.ts"

/** How a queue is put to the test. */
export interface SuiteOptions {
  /** Whether what the queue holds dies with its process. Default false. */
  readonly volatile?: boolean | undefined
  /** Whether refs are sent and marked as done in transactions of a database; needs `Backend.transaction`. Default false. */
  readonly transactional?: boolean | undefined
  /** Milliseconds in which a ref is delivered that was sent. Default 5,000. */
  readonly promptMs?: number | undefined
  /** Milliseconds in which a ref is delivered again, is given up, or is given to another. Default 30,000. */
  readonly patienceMs?: number | undefined
}

/** Declares the tests of a queue. */
export const suite = (
  name: string,
  make: () => Backend | Promise<Backend>,
  { volatile = false, transactional = false, promptMs = 5_000, patienceMs = 30_000 }: SuiteOptions = {},
): void => {
  describe(`ChunkQueue (${name})`, () => {
    let opened: Backend | undefined
    const backend = () => {
      if (opened === undefined) throw new Error("The queue was not opened")
      return opened
    }
    beforeAll(async () => {
      opened = await make()
    })
    afterAll(async () => {
      if (opened?.other !== undefined && opened.other !== opened.queue) await opened.other.close()
      await opened?.queue.close()
      await opened?.close?.()
    })

    afterEach(closeAll)

    it("says whether what it holds dies with its process", () => {
      expect(backend().queue.isVolatile).toBe(volatile)
    })

    const circumstances = { backend, promptMs, patienceMs }
    delivering(circumstances)
    failing(circumstances)
    transactions(circumstances, transactional)
  })
}
