/** What the tests of `UnitOfWorkContract` are given. */
import type { UnitOfWork } from "../../execution/UnitOfWork.ts"

/** A unit of work, and a set of keys in its database to try it on. */
export interface Subject {
  readonly unitOfWork: UnitOfWork
  /** Adds a key that is not there yet, through a handle; rejects if it is there. */
  readonly add: (handle: unknown, key: string) => Promise<void>
  /** Changes a key that is there, through a handle. */
  readonly touch: (handle: unknown, key: string) => Promise<void>
  /** Adds a key like `add`, through the transaction that the code runs in, and by itself outside of one. */
  readonly addHere: (key: string) => Promise<void>
  /** The keys that are there, seen from outside of any transaction. */
  readonly keys: () => Promise<ReadonlyArray<string>>
  /** An error such as the database throws where another attempt may succeed. */
  readonly transientError: () => unknown
  readonly close: () => Promise<void>
}

/** What the database under test can do. */
export interface Capabilities {
  /** Whether several transactions can be open at once. */
  readonly concurrent: boolean
}

/** What one test has to itself. */
export interface Trial {
  readonly subject: Subject
  /** A key that no other trial uses. */
  readonly key: (name: string) => string
  /** Those of this trial's keys that are there. */
  readonly there: () => Promise<ReadonlyArray<string>>
}

/** Declares a test. @internal */
export type Declare = (behaviour: string, run: (trial: Trial) => Promise<void>) => void

/** How long a batch may take, where that does not matter. @internal */
export const plenty = { remainingMs: 20_000 }
