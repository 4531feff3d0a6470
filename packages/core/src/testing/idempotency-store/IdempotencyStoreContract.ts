/**
 * The contract of the port `IdempotencyStore`, as tests. Needs vitest and fast-check.
 *
 * **Details** Test a store against its real server and through two clients. Most cases send the time with their calls
 * (`IdempotencyTimes.now`), so that no test waits for a lease to end; a few use the store's own clock. The cases purge, so
 * the store must not have records of anyone else.
 *
 * **Example** (Testing a store)
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
import { concurrency } from "./concurrency.ts"
import { check, compare, outcomes, type RunOptions } from "./runs.ts"
import { settling } from "./settling.ts"
import { time } from "./time.ts"
import { transactions } from "./transactions.ts"

export type { Backend } from "./Fixture.ts"
export { check, compare, outcomes, type RunOptions } from "./runs.ts"

/** Optional abilities of a store. */
export interface Capabilities {
  /** Whether `purge` removes records; false for a store that expires them by itself. Default true. */
  readonly purges?: boolean | undefined
  /** Whether the store settles in transactions of the unit of work; needs `Backend.transaction`. Default false. */
  readonly transactional?: boolean | undefined
}

/** Options of a suite. */
export interface SuiteOptions extends RunOptions {
  /** Advances the store's own clock. Default: waits. */
  readonly advance?: ((ms: number) => Promise<unknown>) | undefined
  readonly capabilities?: Capabilities | undefined
  /** Timeout of the random commands in milliseconds. Default 120,000. */
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
    concurrency(backend)
    transactions(backend, transactional)

    it("answers random commands as the model does, with every possible outcome among them", { timeout }, async () => {
      const counts = await check(backend(), run)
      expect(outcomes.filter((outcome) => !counts.has(outcome))).toEqual([])
    })
  })
}

/** Declares a test that two stores give the same answers to random commands. */
export const differential = (
  name: string,
  first: () => Backend | Promise<Backend>,
  second: () => Backend | Promise<Backend>,
  { timeout = 120_000, ...run }: RunOptions & Pick<SuiteOptions, "timeout"> = {},
): void => {
  describe(`IdempotencyStores (${name})`, () => {
    const one = opened(first)
    const two = opened(second)

    it("give the same answers to random commands", { timeout }, async () => {
      await compare(one(), two(), run)
    })
  })
}

/** Opens a backend before the tests and closes it after them. */
const opened = (make: () => Backend | Promise<Backend>): (() => Backend) => {
  let backend: Backend | undefined
  beforeAll(async () => {
    backend = await make()
  })
  afterAll(async () => backend?.close?.())
  return () => {
    if (backend === undefined) throw new Error("The backend is not open: call this in a test")
    return backend
  }
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
