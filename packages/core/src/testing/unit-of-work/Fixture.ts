/** What the tests of `UnitOfWorkContract` share. */
import type { UnitOfWork } from "../../execution/UnitOfWork.ts"

/** A unit of work under test, and access to a set of keys in its database. */
export interface Subject {
  readonly unitOfWork: UnitOfWork
  /** Adds a key through a handle; rejects if the key exists. */
  readonly add: (handle: unknown, key: string) => Promise<void>
  /** Changes an existing key through a handle. */
  readonly touch: (handle: unknown, key: string) => Promise<void>
  /** Adds a key through the transaction of the asynchronous context, or outside of one without a transaction. */
  readonly addHere: (key: string) => Promise<void>
  /** Returns the keys that exist, read outside of any transaction. */
  readonly keys: () => Promise<ReadonlyArray<string>>
  /** Creates an error like those of the database for which a retry may succeed. */
  readonly transientError: () => unknown
  readonly close: () => Promise<void>
}

/** Capabilities of the database under test. */
export interface Capabilities {
  /** Whether several transactions may be open at once. */
  readonly concurrent: boolean
}

/** The context of one test. */
export interface TestContext {
  readonly subject: Subject
  /** Creates a key that no other test uses. */
  readonly key: (name: string) => string
  /** Returns the names of this test's keys that exist, sorted. */
  readonly existingKeys: () => Promise<ReadonlyArray<string>>
}

/** Declares a test. @internal */
export type DeclareTest = (behaviour: string, run: (context: TestContext) => Promise<void>) => void

/** Transaction options of tests in which time does not matter. @internal */
export const ampleTime = { remainingMs: 20_000 }
