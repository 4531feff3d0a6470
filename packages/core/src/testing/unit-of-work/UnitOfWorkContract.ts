/**
 * What everything that runs transactions owes, as tests: the contract of the port `UnitOfWork`. Needs vitest.
 *
 * **Example** (A database of one's own)
 * ```ts
 * import { UnitOfWorkContract } from "@multistatus/core/testing"
 *
 * UnitOfWorkContract.suite("my database", makeSubject, { concurrent: true })
 * ```
 */
import { afterAll, beforeAll, describe, it } from "vitest"
import * as Endings from "./endings.ts"
import * as Rivals from "./rivals.ts"
import * as Savepoints from "./savepoints.ts"
import type { Capabilities, Declare, Subject } from "./Trial.ts"

export type { Capabilities, Subject, Trial } from "./Trial.ts"

const timeout = 30_000

/** Declares the tests of a unit of work. `make` is called once. */
export const suite = (name: string, make: () => Promise<Subject>, capabilities: Capabilities): void => {
  let subject: Subject
  let trials = 0
  const trial: Declare = (behaviour: string, run) =>
    it(
      `${behaviour}`,
      async () => {
        const prefix = `${++trials}-`
        await run({
          subject,
          key: (name) => prefix + name,
          there: async () => {
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
      Endings.declare(trial)
    })
    describe("savepoints", () => {
      Savepoints.declare(trial)
    })
    describe("rivals", () => {
      Rivals.declare(trial, capabilities)
    })
  })
}
