/**
 * What a store of idempotency keys owes, as tests: the contract of the port `IdempotencyStore`. Needs vitest and
 * fast-check.
 *
 * **Details** A store is tested as its users have it: against its real server, through two clients. Nearly all cases
 * pass the time with their calls (`IdempotencyTimes.now`), so that nobody waits for leases to end; a few go by the
 * store's own clock. Records of other clients must not be there: the cases purge.
 *
 * **Example** (A store of one's own)
 * ```ts
 * import { IdempotencyStoreContract } from "@multistatus/core/testing"
 *
 * IdempotencyStoreContract.suite("mine", async () => ({ store: await open(), other: await open(), close }))
 * IdempotencyStoreContract.differential("mine and in memory", makeMine, () => ({ store: memoryIdempotencyStore() }))
 * ```
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { claims } from "./claims.ts"
import { fencing } from "./fencing.ts"
import type { Backend } from "./Fixture.ts"
import { items } from "./items.ts"
import { operators } from "./operators.ts"
import { rivals } from "./rivals.ts"
import { check, compare, outcomes, type RunOptions } from "./runs.ts"
import { settling } from "./settling.ts"
import { time } from "./time.ts"
import { transactions } from "./transactions.ts"

export type { Backend } from "./Fixture.ts"
export { check, compare, outcomes, type RunOptions } from "./runs.ts"

/** What a store can do beyond what every store must. */
export interface Capabilities {
  /** Whether `purge` removes records; false for a store that forgets by itself. Default true. */
  readonly purges?: boolean | undefined
  /**
   * Whether results can be settled in a transaction of the unit of work; needs `Backend.transaction`. Default false.
   */
  readonly transactional?: boolean | undefined
}

/** How a store is put to the test. */
export interface SuiteOptions extends RunOptions {
  /** How time passes for the store's own clock. Default: by waiting. */
  readonly advance?: ((ms: number) => Promise<unknown>) | undefined
  readonly capabilities?: Capabilities | undefined
  /** Milliseconds that the random commands may take. Default 120,000. */
  readonly timeout?: number | undefined
}

/** Declares the tests of a store. */
export const suite = (
  name: string,
  make: () => Backend | Promise<Backend>,
  { advance = wait, capabilities = {}, timeout = 120_000, ...run }: SuiteOptions = {},
): void => {
  const { purges = true, transactional = false } = capabilities
  describe(`IdempotencyStore (${name})`, () => {
    const backend = opened(make)

    claims(backend)
    settling(backend)
    fencing(backend)
    time(backend, { advance, purges })
    operators(backend)
    items(backend)
    rivals(backend)
    transactions(backend, transactional)

    it(
      "answers random commands as the model does, and comes across everything that can happen",
      { timeout },
      async () => {
        const counts = await check(backend(), run)
        expect(outcomes.filter((outcome) => !counts.has(outcome))).toEqual([])
      },
    )
  })
}

/** Declares a test that two stores answer alike, whatever they are told. */
export const differential = (
  name: string,
  first: () => Backend | Promise<Backend>,
  second: () => Backend | Promise<Backend>,
  { timeout = 120_000, ...run }: RunOptions & Pick<SuiteOptions, "timeout"> = {},
): void => {
  describe(`IdempotencyStores (${name})`, () => {
    const one = opened(first)
    const two = opened(second)

    it("answer alike to random commands", { timeout }, async () => {
      await compare(one(), two(), run)
    })
  })
}

/** Opens before the tests and closes after them. */
const opened = (make: () => Backend | Promise<Backend>): (() => Backend) => {
  let backend: Backend | undefined
  beforeAll(async () => {
    backend = await make()
  })
  afterAll(async () => backend?.close?.())
  return () => {
    if (backend === undefined) throw new Error("The store was not opened")
    return backend
  }
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
