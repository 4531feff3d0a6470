/**
 * The contract of the port `UnitOfWork`, as tests. Needs vitest.
 *
 * **Example** (A custom database)
 * ```ts
 * import { UnitOfWorkContract } from "@multistatus/core/testing"
 *
 * UnitOfWorkContract.suite("my database", makeSubject, { concurrent: true })
 * ```
 */
import { afterAll, beforeAll, describe, it } from "vitest"
import * as Outcomes from "./outcomes.ts"
import * as Concurrency from "./concurrency.ts"
import * as Savepoints from "./savepoints.ts"
import type { Capabilities, DeclareTest, Subject } from "./Fixture.ts"

export type { Capabilities, Subject, TestContext } from "./Fixture.ts"

const timeout = 30_000

/** Declares the tests of a unit of work. Calls `make` once. */
export const suite = (name: string, make: () => Promise<Subject>, capabilities: Capabilities): void => {
  let subject: Subject
  let tests = 0
  const test: DeclareTest = (behaviour: string, run) =>
    it(
      `${behaviour}`,
      async () => {
        const prefix = `${++tests}-`
        await run({
          subject,
          key: (name) => prefix + name,
          existingKeys: async () => {
            const own = (await subject.keys()).filter((key) => key.startsWith(prefix))
            return own.map((key) => key.slice(prefix.length)).sort()
          },
        })
      },
      timeout,
    )

  describe(`UnitOfWork (${name})`, () => {
    beforeAll(async () => {
      subject = await make()
    }, 2 * timeout)
    afterAll(() => subject?.close(), timeout)
    describe("run", () => {
      Outcomes.declare(test)
    })
    describe("savepoints", () => {
      Savepoints.declare(test)
    })
    describe("concurrent transactions", () => {
      Concurrency.declare(test, capabilities)
    })
  })
}
