/** Cuts scheduled operations into commit groups, and tells which group waits for which. Part of planning. */
import * as Result from "effect/Result"
import { BatchError } from "../batch/BatchError.ts"
import type { Operation } from "../batch/Operation.ts"
import type { CommitGroup } from "./CommitGroup.ts"
import * as DependencyOrder from "./DependencyOrder.ts"

export interface CutOptions {
  /** Whether all operations make one group. */
  readonly atomic: boolean
  readonly coalesces: (operation: Operation) => boolean
  /** Whether only operations that follow each other are coalesced. */
  readonly adjacentOnly: boolean
  /** How many calls share a transaction where operations stand alone; undefined for none. */
  readonly transactionSize: number | undefined
}

type Call<Input> = Array<Operation<Input>>

/** A group before it is known what it waits for. */
export interface Cut<Input> {
  readonly calls: ReadonlyArray<ReadonlyArray<Operation<Input>>>
  readonly transaction: CommitGroup["transaction"]
}

/**
 * Cuts operations into groups.
 *
 * **Details** Atomicity groups and what stands between them keep request order, as far as dependencies let them.
 */
export const cut = <Input>(
  operations: ReadonlyArray<Operation<Input>>,
  { order, waits }: DependencyOrder.DependencyOrder,
  options: CutOptions,
): ReadonlyArray<Cut<Input>> => {
  const ordered = order.map((index) => operations[index]!)
  if (options.atomic) return [{ calls: cutCalls(ordered, options.coalesces, true), transaction: "atomic" }]
  if (ordered.every(({ group }) => group === undefined)) return cutRun(ordered, options)
  return cutSegments(ordered, waits).flatMap((segment) =>
    segment[0]!.group === undefined
      ? cutRun(segment, options)
      : [{ calls: segment.map((member) => [member]), transaction: "atomic" }],
  )
}

// What was put together from both sides of an atomicity group could wait for the group, and the group for it.
const cutSegments = <Input>(
  ordered: ReadonlyArray<Operation<Input>>,
  waits: DependencyOrder.Waits,
): ReadonlyArray<ReadonlyArray<Operation<Input>>> => {
  const units: Array<Call<Input>> = []
  const named = new Map<string, Call<Input>>()
  for (const operation of ordered) {
    const { group } = operation
    const members = group === undefined ? undefined : named.get(group)
    if (members !== undefined) {
      members.push(operation)
      continue
    }
    const unit = [operation]
    units.push(unit)
    if (group !== undefined) named.set(group, unit)
  }
  const order = DependencyOrder.sort(awaitedGroups(units, waits))
  // Groups that wait for each other are refused when they are linked.
  const sorted = order.length < units.length ? units : order.map((position) => units[position]!)
  const segments: Array<Call<Input>> = []
  let run: Call<Input> | undefined
  for (const unit of sorted) {
    const isNamed = unit[0]!.group !== undefined
    if (run !== undefined && !isNamed) run.push(...unit)
    else segments.push(unit)
    run = isNamed ? undefined : segments.at(-1)
  }
  return segments
}

const cutRun = <Input>(
  ordered: ReadonlyArray<Operation<Input>>,
  { coalesces, adjacentOnly, transactionSize }: CutOptions,
): ReadonlyArray<Cut<Input>> => {
  const calls = cutCalls(ordered, coalesces, adjacentOnly || transactionSize !== undefined)
  return transactionSize === undefined
    ? calls.map((call) => ({ calls: [call], transaction: "none" }))
    : share(calls, transactionSize)
}

const cutCalls = <Input>(
  ordered: ReadonlyArray<Operation<Input>>,
  coalesces: (operation: Operation) => boolean,
  adjacentOnly: boolean,
): ReadonlyArray<Call<Input>> => {
  const calls: Array<Call<Input>> = []
  const open = new Map<string, number>()
  const latestOfTarget = new Map<string, number>()
  for (const operation of ordered) {
    const { action, orderKey } = operation
    const alone =
      operation.result !== undefined ||
      operation.duplicateOf !== undefined ||
      operation.dependsOn.length > 0 ||
      !coalesces(operation)
    const candidate = alone ? undefined : open.get(action)
    const earlier = orderKey === undefined ? -1 : (latestOfTarget.get(orderKey) ?? -1)
    const joins = candidate !== undefined && earlier < candidate && (!adjacentOnly || candidate === calls.length - 1)
    const position = joins ? candidate : calls.length
    if (joins) calls[position]!.push(operation)
    else calls.push([operation])
    if (!alone) open.set(action, position)
    if (orderKey !== undefined) latestOfTarget.set(orderKey, position)
  }
  return calls
}

// Calls that follow each other share a transaction; one that is coalesced is large enough to have its own.
const share = <Input>(calls: ReadonlyArray<Call<Input>>, size: number): ReadonlyArray<Cut<Input>> => {
  const groups: Array<Array<Call<Input>>> = []
  let current: Array<Call<Input>> | undefined
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
 * Tells which group waits for which, and puts each after all that it waits for.
 *
 * **Details** Groups that wait for each other, because dependencies lead out of an atomicity group and back into it,
 * refuse the batch.
 */
export const link = <Input>(
  groups: ReadonlyArray<Cut<Input>>,
  { waits }: DependencyOrder.DependencyOrder,
): Result.Result<ReadonlyArray<CommitGroup<Input>>, BatchError> => {
  const members = groups.map(({ calls }) => (calls.length === 1 ? calls[0]! : calls.flat()))
  const awaited = awaitedGroups(members, waits)
  const inOrder = awaited.every(
    (earlier, position) => earlier === nothing || [...earlier].every((other) => other < position),
  )
  const order = inOrder ? undefined : DependencyOrder.sort(awaited)
  if (order !== undefined && order.length < groups.length) {
    const detail = "Dependencies lead out of an atomicity group and back into it: it could never run as one"
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

// Most groups wait for nothing and release nothing, and share these.
const nothing: ReadonlySet<number> = new Set()
const none: ReadonlyArray<number> = []

const awaitedGroups = (
  members: ReadonlyArray<ReadonlyArray<Operation>>,
  waits: DependencyOrder.Waits,
): DependencyOrder.Waits => {
  if (waits.every(({ size }) => size === 0)) return members.map(() => nothing)
  const groupOf = new Int32Array(waits.length)
  members.forEach((operations, position) => operations.forEach(({ index }) => (groupOf[index] = position)))
  return members.map((operations, position) => {
    const earlier = new Set<number>()
    for (const { index } of operations) for (const other of waits[index]!) earlier.add(groupOf[other]!)
    earlier.delete(position)
    return earlier.size === 0 ? nothing : earlier
  })
}

const releasedGroups = (
  awaited: DependencyOrder.Waits,
  order: ReadonlyArray<number> | undefined,
): ReadonlyArray<ReadonlyArray<number>> => {
  const places = order === undefined ? undefined : new Int32Array(awaited.length)
  order?.forEach((position, place) => (places![position] = place))
  const releases: Array<Array<number> | undefined> = awaited.map(() => undefined)
  awaited.forEach((earlier, position) => {
    for (const other of earlier) (releases[other] ??= []).push(places?.[position] ?? position)
  })
  return releases.map((released) => released ?? none)
}
