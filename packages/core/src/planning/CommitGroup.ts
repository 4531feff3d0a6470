/** The part of a plan that runs and settles as one. */
import type { Operation } from "../batch/Operation.ts"

/**
 * Operations that settle together. Each of its `calls` is one call of a handler; a call of several operations is
 * coalesced: one action, distinct targets.
 */
export interface CommitGroup<Input = unknown> {
  readonly operations: ReadonlyArray<Operation<Input>>
  /** The operations, as they are handed to handlers, one call after the other. */
  readonly calls: ReadonlyArray<ReadonlyArray<Operation<Input>>>
  /**
   * - `none`: one call, outside of any transaction.
   * - `shared`: the calls share a transaction, each undone alone if it fails.
   * - `atomic`: all of the calls or none.
   */
  readonly transaction: "none" | "shared" | "atomic"
  /** How many groups must end before this one begins. */
  readonly waitsFor: number
  /** Positions, in `Plan.groups`, of the groups that wait for this one. */
  readonly releases: ReadonlyArray<number>
}
