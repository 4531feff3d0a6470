/** Cuts ordered operations into commit groups, and determines which group waits for which. A part of planning. */
import * as Result from "effect/Result"
import { BatchError } from "../batch/BatchError.ts"
import type { Operation } from "../batch/Operation.ts"
import type { CommitGroup } from "./CommitGroup.ts"
import * as DependencyOrder from "./DependencyOrder.ts"

/** Options for cutting operations into groups. */
export interface CutOptions {
  /** Whether all operations form one group. */
  readonly atomic: boolean
  readonly coalesces: (operation: Operation) => boolean
  /** Whether only adjacent operations are coalesced. */
  readonly adjacentOnly: boolean
  /** How many calls share a transaction, for operations outside of atomicity groups; undefined for no transaction. */
  readonly transactionSize: number | undefined
}

/** The operations that are handed to a handler together. */
type HandlerCall<Input> = Array<Operation<Input>>

/** A commit group before it is known which groups it waits for. */
export interface UnlinkedGroup<Input> {
  readonly calls: ReadonlyArray<ReadonlyArray<Operation<Input>>>
  readonly transaction: CommitGroup["transaction"]
}

/**
 * Cuts operations into groups.
 *
 * **Details** Atomicity groups, and the operations between them, keep request order as far as dependencies allow.
 */
export const cut = <Input>(
  operations: ReadonlyArray<Operation<Input>>,
  { order, waits }: DependencyOrder.DependencyOrder,
  options: CutOptions,
): ReadonlyArray<UnlinkedGroup<Input>> => {
  const ordered = order.map((index) => operations[index]!)
  if (options.atomic) return [{ calls: cutCalls(ordered, options.coalesces, true), transaction: "atomic" }]
  if (ordered.every(({ group }) => group === undefined)) return cutSegment(ordered, options)
  return segmentsOf(ordered, waits).flatMap((segment) =>
    segment[0]!.group === undefined
      ? cutSegment(segment, options)
      : [{ calls: segment.map((member) => [member]), transaction: "atomic" }],
  )
}

// Segments are atomicity groups and the stretches between them. Each stretch is cut on its own: a commit group with
// operations from both sides of an atomicity group could wait for that group while the group waits for it.
const segmentsOf = <Input>(
  ordered: ReadonlyArray<Operation<Input>>,
  waits: DependencyOrder.Waits,
): ReadonlyArray<ReadonlyArray<Operation<Input>>> => {
  const units: Array<Array<Operation<Input>>> = []
  const atomicityGroups = new Map<string, Array<Operation<Input>>>()
  for (const operation of ordered) {
    const { group } = operation
    const members = group === undefined ? undefined : atomicityGroups.get(group)
    if (members !== undefined) {
      members.push(operation)
      continue
    }
    const unit = [operation]
    units.push(unit)
    if (group !== undefined) atomicityGroups.set(group, unit)
  }
  const order = DependencyOrder.sort(awaitedGroups(units, waits))
  // Groups that wait for each other are kept as they are here; `link` refuses them.
  const sorted = order.length < units.length ? units : order.map((position) => units[position]!)
  const segments: Array<Array<Operation<Input>>> = []
  let stretch: Array<Operation<Input>> | undefined
  for (const unit of sorted) {
    const isAtomic = unit[0]!.group !== undefined
    if (stretch !== undefined && !isAtomic) stretch.push(...unit)
    else segments.push(unit)
    stretch = isAtomic ? undefined : segments.at(-1)
  }
  return segments
}

const cutSegment = <Input>(
  ordered: ReadonlyArray<Operation<Input>>,
  { coalesces, adjacentOnly, transactionSize }: CutOptions,
): ReadonlyArray<UnlinkedGroup<Input>> => {
  const calls = cutCalls(ordered, coalesces, adjacentOnly || transactionSize !== undefined)
  return transactionSize === undefined
    ? calls.map((call) => ({ calls: [call], transaction: "none" }))
    : shareTransactions(calls, transactionSize)
}

const cutCalls = <Input>(
  ordered: ReadonlyArray<Operation<Input>>,
  coalesces: (operation: Operation) => boolean,
  adjacentOnly: boolean,
): ReadonlyArray<HandlerCall<Input>> => {
  const calls: Array<HandlerCall<Input>> = []
  const openCallOfAction = new Map<string, number>()
  const lastCallOfKey = new Map<string, number>()
  for (const operation of ordered) {
    const { action, orderKey } = operation
    const isAlone =
      operation.result !== undefined ||
      operation.duplicateOf !== undefined ||
      operation.dependsOn.length > 0 ||
      !coalesces(operation)
    const candidate = isAlone ? undefined : openCallOfAction.get(action)
    const previous = orderKey === undefined ? -1 : (lastCallOfKey.get(orderKey) ?? -1)
    const joins = candidate !== undefined && previous < candidate && (!adjacentOnly || candidate === calls.length - 1)
    const position = joins ? candidate : calls.length
    if (joins) calls[position]!.push(operation)
    else calls.push([operation])
    if (!isAlone) openCallOfAction.set(action, position)
    if (orderKey !== undefined) lastCallOfKey.set(orderKey, position)
  }
  return calls
}

// Consecutive calls share a transaction. A coalesced call is large enough to have one of its own.
const shareTransactions = <Input>(
  calls: ReadonlyArray<HandlerCall<Input>>,
  size: number,
): ReadonlyArray<UnlinkedGroup<Input>> => {
  const groups: Array<Array<HandlerCall<Input>>> = []
  let current: Array<HandlerCall<Input>> | undefined
  for (const call of calls) {
    if (call.length > 1) {
      groups.push([call])
      current = undefined
    } else if (current === undefined || current.length >= size) groups.push((current = [call]))
    else current.push(call)
  }
  return groups.map((calls) => ({ calls, transaction: "shared" }))
}

/**
 * Determines which group waits for which, and sorts the groups accordingly.
 *
 * **Details** Fails if groups wait for each other, because dependencies lead out of an atomicity group and back into it.
 */
export const link = <Input>(
  groups: ReadonlyArray<UnlinkedGroup<Input>>,
  { waits }: DependencyOrder.DependencyOrder,
): Result.Result<ReadonlyArray<CommitGroup<Input>>, BatchError> => {
  const members = groups.map(({ calls }) => (calls.length === 1 ? calls[0]! : calls.flat()))
  const awaited = awaitedGroups(members, waits)
  const isInOrder = awaited.every(
    (earlier, position) => earlier === noWaits || [...earlier].every((other) => other < position),
  )
  const order = isInOrder ? undefined : DependencyOrder.sort(awaited)
  if (order !== undefined && order.length < groups.length) {
    const detail = "Dependencies lead out of an atomicity group and back into it, so the group cannot run as one"
    return Result.fail(BatchError.invalid("INVALID_DEPENDENCY", detail))
  }
  const releases = releasedGroups(awaited, order)
  const linked = groups.map(({ calls, transaction }, position): CommitGroup<Input> => ({
    operations: members[position]!,
    calls,
    transaction,
    waitsFor: awaited[position]!.size,
    releases: releases[position]!,
  }))
  return Result.succeed(order === undefined ? linked : order.map((position) => linked[position]!))
}

// Shared by the many groups that wait for nothing and release nothing.
const noWaits: ReadonlySet<number> = new Set()
const noReleases: ReadonlyArray<number> = []

const awaitedGroups = (
  members: ReadonlyArray<ReadonlyArray<Operation>>,
  waits: DependencyOrder.Waits,
): DependencyOrder.Waits => {
  if (waits.every(({ size }) => size === 0)) return members.map(() => noWaits)
  const groupOf = new Int32Array(waits.length)
  members.forEach((operations, position) => operations.forEach(({ index }) => (groupOf[index] = position)))
  return members.map((operations, position) => {
    const earlier = new Set<number>()
    for (const { index } of operations) for (const other of waits[index]!) earlier.add(groupOf[other]!)
    earlier.delete(position)
    return earlier.size === 0 ? noWaits : earlier
  })
}

const releasedGroups = (
  awaited: DependencyOrder.Waits,
  order: ReadonlyArray<number> | undefined,
): ReadonlyArray<ReadonlyArray<number>> => {
  const newPositions = order === undefined ? undefined : new Int32Array(awaited.length)
  order?.forEach((position, newPosition) => (newPositions![position] = newPosition))
  const releases: Array<Array<number> | undefined> = awaited.map(() => undefined)
  awaited.forEach((earlier, position) => {
    for (const other of earlier) (releases[other] ??= []).push(newPositions?.[position] ?? position)
  })
  return releases.map((released) => released ?? noReleases)
}
