/**
 * Which operations run together, which wait for which, and when to stop: the order of execution as data.
 *
 * What binds coalescing, transactions and settling together is the commit group, cut here once.
 */
import * as Result from "effect/Result"
import type { Batch } from "../batch/Batch.ts"
import type { BatchError } from "../batch/BatchError.ts"
import type { CommitGroup } from "./CommitGroup.ts"
import * as Grouping from "./Grouping.ts"
import type { Operation } from "../batch/Operation.ts"
import * as DependencyOrder from "./DependencyOrder.ts"

/** Every operation stands in exactly one group; a group only waits for groups before it. */
export interface Plan<Input = unknown> {
  readonly groups: ReadonlyArray<CommitGroup<Input>>
  /** How many groups may run at once. */
  readonly concurrency: number
  /** Whether groups begin strictly one after another, in the order of `groups`. */
  readonly ordered: boolean
  /** After this many failed operations nothing more begins. */
  readonly stopAfter: number | undefined
}

/** What planning has to keep to. */
export interface PlanOptions {
  /** How many groups may run at once: a whole number from 1, or `Infinity`. */
  readonly concurrency: number
  /** Whether an operation may share one call with others of its action. */
  readonly coalesces: (operation: Operation) => boolean
  /** How many calls share a transaction where operations stand alone; undefined for none. */
  readonly transactionSize?: number | undefined
}

/** A way to plan a batch. Every operation exactly once, after its dependencies. */
export type Planner = <Input>(batch: Batch<Input>, options: PlanOptions) => Result.Result<Plan<Input>, BatchError>

/**
 * Plans a batch: by dependencies, by request order per target, coalescing where that is allowed.
 *
 * **Details** Adjacent operations of one action on distinct targets are coalesced. Where several groups may run at
 * once no order is promised between distinct targets, so operations further apart are coalesced too. An operation
 * that has its result already, that has dependencies, or that counts towards stop-after-n stands alone. An atomic
 * batch is one group, in request order; so is each atomicity group.
 */
export const make: Planner = <Input>(
  { operations, strategy }: Batch<Input>,
  { concurrency, coalesces, transactionSize }: PlanOptions,
) =>
  Result.gen(function* () {
    const schedule = yield* DependencyOrder.make(operations)
    const stopAfter = strategy._tag === "stop-after" ? strategy.failures : undefined
    const cut = Grouping.cut(operations, schedule, {
      atomic: strategy._tag === "atomic",
      coalesces: stopAfter === undefined ? coalesces : () => false,
      adjacentOnly: concurrency === 1,
      transactionSize: stopAfter === undefined ? transactionSize : undefined,
    })
    const groups: ReadonlyArray<CommitGroup<Input>> = yield* Grouping.link(cut, schedule)
    return { groups, concurrency, ordered: concurrency === 1 || stopAfter !== undefined, stopAfter }
  })
