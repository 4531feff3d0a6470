/**
 * In which order operations may run: which one waits for which, and one order in which every operation comes after
 * all that it waits for. Pure; finds cycles before anything runs.
 */
import * as Result from "effect/Result"
import { BatchError } from "../batch/BatchError.ts"
import type { Operation } from "../batch/Operation.ts"

/**
 * `order` holds indexes of operations; `waits[i]` those of the operations that must end before operation `i` begins.
 */
export interface DependencyOrder {
  readonly order: ReadonlyArray<number>
  readonly waits: ReadonlyArray<ReadonlySet<number>>
}

/** Which numbers each number waits for. */
export type Waits = ReadonlyArray<ReadonlySet<number>>

/**
 * Schedules operations by what they depend on and by the targets they share.
 *
 * **Details** Operations on one target run one after another, in request order, except where dependencies make that
 * impossible: a dependency binds, the order per target yields. A cycle of dependencies refuses the batch.
 */
export const make = (operations: ReadonlyArray<Operation>): Result.Result<DependencyOrder, BatchError> => {
  const waits = operations.map(({ dependsOn, duplicateOf }): ReadonlySet<number> => {
    if (duplicateOf !== undefined)
      return new Set([...dependsOn.map(({ operation }) => operation.index), duplicateOf.index])
    return dependsOn.length === 0 ? nothing : new Set(dependsOn.map(({ operation }) => operation.index))
  })
  const forward = operations.some(({ dependsOn, index }) => dependsOn.some(({ operation }) => operation.index >= index))
  const chains = chainsOf(operations)
  if (forward) {
    const sorted = sort(waits)
    if (sorted.length < operations.length) return Result.fail(cycleError(operations, waits, new Set(sorted)))
    untangle(chains, waits, sorted)
  }
  link(chains, waits)
  return Result.succeed({ order: forward ? sort(waits) : operations.map(({ index }) => index), waits })
}

// Most operations wait for nothing, and share this.
const nothing: ReadonlySet<number> = new Set()

// The indexes of the operations on each target that has several, in the order they are to run in: to begin with, the
// request order.
const chainsOf = (operations: ReadonlyArray<Operation>): ReadonlyArray<Array<number>> => {
  const firsts = new Map<string, number | Array<number>>()
  const chains: Array<Array<number>> = []
  for (const { index, orderKey } of operations) {
    if (orderKey === undefined) continue
    const earlier = firsts.get(orderKey)
    if (earlier === undefined) firsts.set(orderKey, index)
    else if (typeof earlier === "object") earlier.push(index)
    else {
      const chain = [earlier, index]
      firsts.set(orderKey, chain)
      chains.push(chain)
    }
  }
  return chains
}

const link = (chains: ReadonlyArray<ReadonlyArray<number>>, waits: Array<ReadonlySet<number>>): void => {
  for (const chain of chains) {
    for (let at = 1; at < chain.length; at++) {
      const index = chain[at]!
      waits[index] = new Set(waits[index]).add(chain[at - 1]!)
    }
  }
}

// What lies on a cycle of dependencies and request order, or between two, runs by `sorted`, which keeps dependencies.
// Whatever lies between two such operations is itself such a one, so that they stand next to each other in a chain.
const untangle = (chains: ReadonlyArray<Array<number>>, waits: Waits, sorted: ReadonlyArray<number>): void => {
  const wished = [...waits]
  link(chains, wished)
  const free = new Set([...sort(wished), ...sort(reverse(wished))])
  if (free.size === waits.length) return
  const place = new Map(sorted.map((index, at) => [index, at]))
  for (const chain of chains) {
    const from = chain.findIndex((index) => !free.has(index))
    const tangled = chain.filter((index) => !free.has(index)).sort((a, b) => place.get(a)! - place.get(b)!)
    tangled.forEach((index, at) => (chain[from + at] = index))
  }
}

const reverse = (waits: Waits): Waits => {
  const reversed: ReadonlyArray<Set<number>> = waits.map(() => new Set())
  waits.forEach((all, index) => all.forEach((earlier) => reversed[earlier]!.add(index)))
  return reversed
}

/**
 * Kahn's algorithm: of all that are free to begin the lowest number comes first. What is on a cycle, or waits for
 * one, is left out.
 */
export const sort = (waits: Waits): Array<number> => {
  const missing = waits.map((earlier) => earlier.size)
  const dependants: Array<Array<number>> = waits.map(() => [])
  waits.forEach((all, index) => all.forEach((earlier) => dependants[earlier]!.push(index)))
  const free = missing.flatMap((count, index) => (count === 0 ? [index] : [])).reverse()
  const order: Array<number> = []
  while (free.length > 0) {
    const next = free.pop()!
    order.push(next)
    for (const dependant of dependants[next]!) {
      if (--missing[dependant]! === 0) insertDescending(free, dependant)
    }
  }
  return order
}

const insertDescending = (sorted: Array<number>, value: number): void => {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (sorted[middle]! > value) low = middle + 1
    else high = middle
  }
  sorted.splice(low, 0, value)
}

// An operation that cannot be sorted waits for another such one: following them comes round to a cycle.
const cycleError = (operations: ReadonlyArray<Operation>, waits: Waits, sorted: ReadonlySet<number>): BatchError => {
  const place = new Map<number, number>()
  let current = operations.findIndex(({ index }) => !sorted.has(index))
  while (!place.has(current)) {
    place.set(current, place.size)
    current = [...waits[current]!].find((earlier) => !sorted.has(earlier))!
  }
  const cycle = [...place.keys()].slice(place.get(current))
  const names = [...cycle, current].map((index) => `"${operations[index]!.id ?? index}"`)
  return BatchError.invalid("INVALID_DEPENDENCY", `Dependencies form a cycle: ${names.join(" depends on ")}`)
}
