/** A commit group: the operations of a plan that run and commit together. */
import type { Operation } from "../batch/Operation.ts"

/**
 * Operations that commit together. Each of its `calls` is one call of a handler. A call with several operations is
 * coalesced: all have the same action and different order keys.
 */
export interface CommitGroup<Input = unknown> {
  readonly operations: ReadonlyArray<Operation<Input>>
  /** The operations of each handler call; the calls run one after another. */
  readonly calls: ReadonlyArray<ReadonlyArray<Operation<Input>>>
  /**
   * - `none`: a single call, outside of any transaction.
   * - `shared`: the calls share a transaction; a failed operation is undone on its own.
   * - `atomic`: all operations commit, or none.
   */
  readonly transaction: "none" | "shared" | "atomic"
  /** How many groups must end before this one starts. */
  readonly waitsFor: number
  /** Positions, in `Plan.groups`, of the groups that wait for this one. */
  readonly releases: ReadonlyArray<number>
}
