/**
 * The contract of the port `QuotaStore`, as tests. Needs vitest and fast-check.
 *
 * **Details** Test a store against its real server, through two clients. Most tests pass the time with their calls
 * (`now`); a few use the store's own clock, which must run in real time.
 *
 * **Example** (A custom store)
 * ```ts
 * import { QuotaStoreContract } from "@multistatus/core/testing"
 *
 * QuotaStoreContract.suite("my store", async () => ({ store: await open(), other: await open(), close }))
 * ```
 */
import { afterAll, beforeAll, describe, it } from "vitest"
import { amounts } from "./amounts.ts"
import { charging } from "./charging.ts"
import type { Backend } from "./Fixture.ts"
import { refunding } from "./refunding.ts"
import { check } from "./histories.ts"
import { time } from "./time.ts"

export type { Backend } from "./Fixture.ts"
export { check } from "./histories.ts"

/** Options of the suite. */
export interface SuiteOptions {
  /** Whether the store recognises a charge that is sent again by its id; required if its clients may resend commands. Default true. */
  readonly recognises?: boolean | undefined
  /** Number of random histories. Default 2,000. */
  readonly runs?: number | undefined
  /** Milliseconds that the random histories may take. Default 120,000. */
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

    it("decides random histories like the model, and never admits more than the policies allow", { timeout }, () =>
      check(backend().store, { runs }),
    )
  })
}
