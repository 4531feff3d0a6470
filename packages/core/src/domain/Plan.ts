/**
 * Which operations run together, which wait for which, and when to stop: the order of execution as data.
 *
 * What binds coalescing, transactions and settling together is the commit group, cut here once.
 */
import * as Result from "effect/Result"
import type { Batch } from "./Batch.ts"
import type { BatchError } from "./BatchError.ts"
import type { Operation } from "./Operation.ts"
import * as Schedule from "./Schedule.ts"

/**
 * Operations that are run by one call and settle together. A group of several is coalesced: one action, distinct
 * targets.
 *
 * @category models
 * @since 0.1.0
 */
export interface CommitGroup<Input = unknown> {
  readonly operations: ReadonlyArray<Operation<Input>>
  /** How many groups must end before this one begins. */
  readonly waitsFor: number
  /** Positions, in `Plan.groups`, of the groups that wait for this one. */
  readonly releases: ReadonlyArray<number>
}

/**
 * Every operation stands in exactly one group; a group only waits for groups before it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Plan<Input = unknown> {
  readonly groups: ReadonlyArray<CommitGroup<Input>>
  /** How many groups may run at once. */
  readonly concurrency: number
  /** Whether groups begin strictly one after another, in the order of `groups`. */
  readonly ordered: boolean
  /** After this many failed operations nothing more begins. */
  readonly stopAfter: number | undefined
}

/** @category models @since 0.1.0 */
export interface PlanOptions {
  /** How many groups may run at once: a whole number from 1, or `Infinity`. */
  readonly concurrency: number
  /** Whether an operation may share one call with others of its action. */
  readonly coalesces: (operation: Operation) => boolean
}

/**
 * A way to plan a batch. Every operation exactly once, after its dependencies.
 *
 * @category models
 * @since 0.1.0
 */
export type Planner = <Input>(batch: Batch<Input>, options: PlanOptions) => Result.Result<Plan<Input>, BatchError>

/**
 * Plans a batch: by dependencies, by request order per target, coalescing where that is allowed.
 *
 * **Details** Adjacent operations of one action on distinct targets are coalesced. Where several groups may run at
 * once no order is promised between distinct targets, so operations further apart are coalesced too. An operation
 * that has its result already, that has dependencies, or that counts towards stop-after-n stands alone.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: Planner = (batch, options) =>
  Result.map(Schedule.make(batch.operations), (schedule) => {
    const stopAfter = batch.strategy._tag === "stop-after" ? batch.strategy.failures : undefined
    const coalesces = stopAfter === undefined ? options.coalesces : () => false
    const groups = cut(batch.operations, schedule, coalesces, options.concurrency === 1)
    return {
      groups: link(groups, batch.operations.length, schedule),
      concurrency: options.concurrency,
      ordered: options.concurrency === 1 || stopAfter !== undefined,
      stopAfter,
    }
  })

const cut = <Input>(
  operations: ReadonlyArray<Operation<Input>>,
  { order }: Schedule.Schedule,
  coalesces: (operation: Operation) => boolean,
  adjacentOnly: boolean,
): Array<Array<Operation<Input>>> => {
  const groups: Array<Array<Operation<Input>>> = []
  const open = new Map<string, number>()
  const latestOfTarget = new Map<string, number>()
  for (const index of order) {
    const operation = operations[index]!
    const { action, target } = operation
    const alone = operation.result !== undefined || operation.dependsOn.length > 0 || !coalesces(operation)
    const candidate = alone ? undefined : open.get(action)
    const earlier = target === undefined ? -1 : (latestOfTarget.get(target) ?? -1)
    const joins = candidate !== undefined && earlier < candidate && (!adjacentOnly || candidate === groups.length - 1)
    const position = joins ? candidate : groups.length
    if (joins) groups[position]!.push(operation)
    else groups.push([operation])
    if (!alone) open.set(action, position)
    if (target !== undefined) latestOfTarget.set(target, position)
  }
  return groups
}

const link = <Input>(
  groups: ReadonlyArray<ReadonlyArray<Operation<Input>>>,
  count: number,
  { waits }: Schedule.Schedule,
): Array<CommitGroup<Input>> => {
  const groupOf = new Int32Array(count)
  groups.forEach((operations, position) => operations.forEach(({ index }) => (groupOf[index] = position)))
  const linked = groups.map((operations) => ({ operations, waitsFor: 0, releases: [] as Array<number> }))
  linked.forEach((group, position) => {
    const awaited = new Set<number>()
    for (const { index } of group.operations) for (const earlier of waits[index]!) awaited.add(groupOf[earlier]!)
    group.waitsFor = awaited.size
    for (const earlier of awaited) linked[earlier]!.releases.push(position)
  })
  return linked
}
