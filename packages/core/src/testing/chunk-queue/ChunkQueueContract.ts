/**
 * The contract of the port `ChunkQueue`, as tests. Needs vitest.
 *
 * **Details** Test a queue against its real server and through two clients. A queue uses its own clock, so `deliveryMs` and
 * `redeliveryMs` limit how long the cases wait.
 *
 * **Example** (A queue of your own)
 * ```ts
 * import { ChunkQueueContract } from "@multistatus/core/testing"
 *
 * ChunkQueueContract.suite("my queue", async () => ({ queue: await open(), other: await open(), close }), { redeliveryMs: 60_000 })
 * ```
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { delivering } from "./delivering.ts"
import { failing } from "./failing.ts"
import { type Backend, closeAll } from "./Fixture.ts"
import { transactions } from "./transactions.ts"

export type { Backend } from "./Fixture.ts"

/** Options of the suite. */
export interface SuiteOptions {
  /** Whether the queue loses its refs when its process ends. Default false. */
  readonly volatile?: boolean | undefined
  /** Whether the queue takes part in database transactions; needs `Backend.transaction`. Default false. */
  readonly transactional?: boolean | undefined
  /** Maximum time until a ref is delivered, in milliseconds. Default 5,000. */
  readonly deliveryMs?: number | undefined
  /** Maximum time until a ref is redelivered or given up, in milliseconds. Default 30,000. */
  readonly redeliveryMs?: number | undefined
}

/** Declares the tests of a queue. */
export const suite = (
  name: string,
  make: () => Backend | Promise<Backend>,
  { volatile = false, transactional = false, deliveryMs = 5_000, redeliveryMs = 30_000 }: SuiteOptions = {},
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

    it("declares whether it is volatile", () => {
      expect(backend().queue.isVolatile).toBe(volatile)
    })

    const context = { backend, deliveryMs, redeliveryMs }
    delivering(context)
    failing(context)
    transactions(context, transactional)
  })
}
