/**
 * The order of operations: which operations each one waits for, and a sequence in which every operation comes after those
 * it waits for. Pure functions; cycles are found before anything runs.
 */
import * as Result from "effect/Result"
import { BatchError } from "../batch/BatchError.ts"
import type { Operation } from "../batch/Operation.ts"

/**
 * The order of a batch. `order` holds indexes of operations; `waits[i]` holds the indexes of the operations that must end
 * before operation `i` starts.
 */
export interface DependencyOrder {
  readonly order: ReadonlyArray<number>
  readonly waits: Waits
}

/** The numbers that each number waits for. */
export type Waits = ReadonlyArray<ReadonlySet<number>>

/**
 * Orders operations by their dependencies and their order keys.
 *
 * **Details** Operations with the same order key run one after another in request order, unless dependencies make that
 * impossible: then the dependencies decide. Fails if dependencies form a cycle.
 */
export const make = (operations: ReadonlyArray<Operation>): Result.Result<DependencyOrder, BatchError> => {
  const waits = operations.map(({ dependsOn, duplicateOf }): ReadonlySet<number> => {
    if (duplicateOf !== undefined)
      return new Set([...dependsOn.map(({ operation }) => operation.index), duplicateOf.index])
    return dependsOn.length === 0 ? noWaits : new Set(dependsOn.map(({ operation }) => operation.index))
  })
  const hasForwardDependency = operations.some(({ dependsOn, index }) =>
    dependsOn.some(({ operation }) => operation.index >= index),
  )
  const chains = chainsOf(operations)
  if (hasForwardDependency) {
    const sorted = sort(waits)
    if (sorted.length < operations.length) return Result.fail(cycleError(operations, waits, new Set(sorted)))
    resolveConflicts(chains, waits, sorted)
  }
  addChains(chains, waits)
  return Result.succeed({ order: hasForwardDependency ? sort(waits) : operations.map(({ index }) => index), waits })
}

// Shared by the many operations that wait for nothing.
const noWaits: ReadonlySet<number> = new Set()

// For each order key of several operations, their indexes in the order in which they are to run: at first, request order.
const chainsOf = (operations: ReadonlyArray<Operation>): ReadonlyArray<Array<number>> => {
  const byKey = new Map<string, number | Array<number>>()
  const chains: Array<Array<number>> = []
  for (const { index, orderKey } of operations) {
    if (orderKey === undefined) continue
    const earlier = byKey.get(orderKey)
    if (earlier === undefined) byKey.set(orderKey, index)
    else if (typeof earlier === "object") earlier.push(index)
    else {
      const chain = [earlier, index]
      byKey.set(orderKey, chain)
      chains.push(chain)
    }
  }
  return chains
}

const addChains = (chains: ReadonlyArray<ReadonlyArray<number>>, waits: Array<ReadonlySet<number>>): void => {
  for (const chain of chains) {
    for (let position = 1; position < chain.length; position++) {
      const index = chain[position]!
      waits[index] = new Set(waits[index]).add(chain[position - 1]!)
    }
  }
}

// Operations on a cycle of dependencies and chains, or between two such cycles, take the order of `sorted`, which respects
// dependencies. All operations between two of them in a chain are of this kind too, so they are contiguous in the chain.
const resolveConflicts = (chains: ReadonlyArray<Array<number>>, waits: Waits, sorted: ReadonlyArray<number>): void => {
  const combined = [...waits]
  addChains(chains, combined)
  const sortable = new Set([...sort(combined), ...sort(reverse(combined))])
  if (sortable.size === waits.length) return
  const rank = new Map(sorted.map((index, position) => [index, position]))
  for (const chain of chains) {
    const first = chain.findIndex((index) => !sortable.has(index))
    const conflicting = chain.filter((index) => !sortable.has(index)).sort((a, b) => rank.get(a)! - rank.get(b)!)
    conflicting.forEach((index, offset) => (chain[first + offset] = index))
  }
}

const reverse = (waits: Waits): Waits => {
  const reversed: ReadonlyArray<Set<number>> = waits.map(() => new Set())
  waits.forEach((awaited, index) => awaited.forEach((earlier) => reversed[earlier]!.add(index)))
  return reversed
}

/**
 * Sorts numbers topologically by Kahn's algorithm; among the numbers that wait for nothing, the lowest comes first. Numbers
 * that are on a cycle, or wait for one, are left out.
 */
export const sort = (waits: Waits): Array<number> => {
  const missing = waits.map((awaited) => awaited.size)
  const dependants: Array<Array<number>> = waits.map(() => [])
  waits.forEach((awaited, index) => awaited.forEach((earlier) => dependants[earlier]!.push(index)))
  // Ascending numbers are a heap already.
  const ready = missing.flatMap((count, index) => (count === 0 ? [index] : []))
  const order: Array<number> = []
  while (ready.length > 0) {
    const next = removeLowest(ready)
    order.push(next)
    for (const dependant of dependants[next]!) {
      if (--missing[dependant]! === 0) insert(ready, dependant)
    }
  }
  return order
}

// A binary heap: no number is lower than the one at half of its position.
const insert = (heap: Array<number>, value: number): void => {
  let position = heap.push(value) - 1
  while (position > 0) {
    const parent = (position - 1) >> 1
    if (heap[parent]! <= value) break
    heap[position] = heap[parent]!
    position = parent
  }
  heap[position] = value
}

const removeLowest = (heap: Array<number>): number => {
  const lowest = heap[0]!
  const last = heap.pop()!
  if (heap.length === 0) return lowest
  let position = 0
  for (let child = 1; child < heap.length; child = 2 * position + 1) {
    if (child + 1 < heap.length && heap[child + 1]! < heap[child]!) child++
    if (heap[child]! >= last) break
    heap[position] = heap[child]!
    position = child
  }
  heap[position] = last
  return lowest
}

// An operation that could not be sorted waits for another one like it, so following these leads into a cycle.
const cycleError = (operations: ReadonlyArray<Operation>, waits: Waits, sorted: ReadonlySet<number>): BatchError => {
  const visited = new Map<number, number>()
  let current = operations.findIndex(({ index }) => !sorted.has(index))
  while (!visited.has(current)) {
    visited.set(current, visited.size)
    current = [...waits[current]!].find((earlier) => !sorted.has(earlier))!
  }
  const cycle = [...visited.keys()].slice(visited.get(current))
  const names = [...cycle, current].map((index) => `"${operations[index]!.id ?? index}"`)
  return BatchError.invalid("INVALID_DEPENDENCY", `Dependencies form a cycle: ${names.join(" depends on ")}`)
}
