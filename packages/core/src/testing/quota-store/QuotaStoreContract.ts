/**
 * What a store of quotas owes, as tests: the contract of the port `QuotaStore`. Needs vitest and fast-check.
 *
 * **Details** A store is tested as its users have it: against its real server, through two clients. Nearly all cases
 * pass the time with their calls (`now`); a few go by the store's own clock, which only has to go on.
 *
 * **Example** (A store of one's own)
 * ```ts
 * import { QuotaStoreContract } from "@multistatus/core/testing"
 *
 * QuotaStoreContract.suite("mine", async () => ({ store: await open(), other: await open(), close }))
 * ```
 */
import { afterAll, beforeAll, describe, it } from "vitest"
import { amounts } from "./amounts.ts"
import { charging } from "./charging.ts"
import type { Backend } from "./Fixture.ts"
import { refunding } from "./refunding.ts"
import { check } from "./runs.ts"
import { time } from "./time.ts"

export type { Backend } from "./Fixture.ts"
export { check } from "./runs.ts"

/** How a store is put to the test. */
export interface SuiteOptions {
  /** Whether a charge that is sent again is recognised by its id; needed where clients do so by themselves. Default true. */
  readonly recognises?: boolean | undefined
  /** Random histories. Default 2,000. */
  readonly runs?: number | undefined
  /** Milliseconds that they may take. Default 120,000. */
  readonly timeout?: number | undefined
}

/** Declares the tests of a store. */
export const suite = (
  name: string,
  make: () => Backend | Promise<Backend>,
  { recognises = true, runs = 2_000, timeout = 120_000 }: SuiteOptions = {},
): void => {
  describe(`QuotaStore (${name})`, () => {
    let opened: Backend
    beforeAll(async () => {
      opened = await make()
    })
    afterAll(() => opened?.close?.())
    const backend = () => opened

    charging(backend, recognises)
    refunding(backend)
    time(backend)
    amounts(backend)

    it("answers random histories as the model does, and never admits more than it may", { timeout }, () =>
      check(backend().store, { runs }),
    )
  })
}
