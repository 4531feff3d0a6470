/**
 * Plans: the order of execution of a batch as data. A plan says which operations run together in a commit group, which
 * groups wait for which, and when to stop.
 */
import * as Result from "effect/Result"
import type { Batch } from "../batch/Batch.ts"
import type { BatchError } from "../batch/BatchError.ts"
import type { CommitGroup } from "./CommitGroup.ts"
import * as Grouping from "./Grouping.ts"
import type { Operation } from "../batch/Operation.ts"
import * as DependencyOrder from "./DependencyOrder.ts"

/** A plan. Every operation is in exactly one group; a group waits only for groups before it. */
export interface Plan<Input = unknown> {
  readonly groups: ReadonlyArray<CommitGroup<Input>>
  /** How many groups may run at once. */
  readonly concurrency: number
  /** Whether groups start strictly in the order of `groups`. */
  readonly ordered: boolean
  /** The number of failed operations after which no more groups start; undefined for no limit. */
  readonly stopAfter: number | undefined
}

/** Options of a planner. */
export interface PlanOptions {
  /** How many groups may run at once: a whole number from 1, or `Infinity`. */
  readonly concurrency: number
  /** Whether an operation may share a handler call with others of its action. */
  readonly coalesces: (operation: Operation) => boolean
  /** How many handler calls share a transaction, for operations outside of atomicity groups; undefined for no transaction. */
  readonly transactionSize?: number | undefined
}

/** Plans a batch. A plan must contain every operation once, after its dependencies. */
export type Planner = <Input>(batch: Batch<Input>, options: PlanOptions) => Result.Result<Plan<Input>, BatchError>

/**
 * The default planner: orders operations by dependencies and order keys, and coalesces them where that is allowed.
 *
 * **Details** Adjacent operations with the same action and different order keys are coalesced. If several groups may run
 * at once, no order is promised between different order keys, so operations further apart are coalesced as well. An
 * operation that has its result already, has dependencies, or counts towards `stop-after` gets a call of its own. An
 * atomic batch is one group in request order; so is each atomicity group.
 */
export const make: Planner = <Input>(
  { operations, strategy }: Batch<Input>,
  { concurrency, coalesces, transactionSize }: PlanOptions,
) =>
  Result.gen(function* () {
    const order = yield* DependencyOrder.make(operations)
    const stopAfter = strategy._tag === "stop-after" ? strategy.failures : undefined
    const unlinked = Grouping.cut(operations, order, {
      atomic: strategy._tag === "atomic",
      coalesces: stopAfter === undefined ? coalesces : () => false,
      adjacentOnly: concurrency === 1,
      transactionSize: stopAfter === undefined ? transactionSize : undefined,
    })
    const groups: ReadonlyArray<CommitGroup<Input>> = yield* Grouping.link(unlinked, order)
    return { groups, concurrency, ordered: concurrency === 1 || stopAfter !== undefined, stopAfter }
  })
