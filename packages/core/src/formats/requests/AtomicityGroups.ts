/** Atomicity groups of a JSON batch: sub-requests that all succeed or all fail (`atomicityGroup`, as in OData 4.01). */
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import { BatchError } from "../../batch/BatchError.ts"
import type { StrategyOffer } from "../../batch/Strategy.ts"

/** The atomicity groups of one batch. */
export interface AtomicityGroups {
  /** Positions of the members of each group. */
  readonly members: ReadonlyMap<string, ReadonlySet<number>>
  /** Returns the group of the request at a position; undefined if it is in none. */
  readonly groupOf: (position: number) => string | undefined
}

/**
 * Reads the groups of a batch. Fails for invalid names, for groups whose members are not adjacent, and for any group if the
 * endpoint has no transactions.
 */
export const read = (
  items: ReadonlyArray<unknown>,
  { default: defaultStrategy, choices }: StrategyOffer,
): Result.Result<AtomicityGroups, BatchError> => {
  const members = new Map<string, Set<number>>()
  const names: Array<string | undefined> = []
  const isOffered = defaultStrategy._tag === "atomic" || choices.includes("atomic")
  for (let index = 0; index < items.length; index++) {
    const item = items[index]
    const name = Predicate.isObject(item) && Object.hasOwn(item, "atomicityGroup") ? item["atomicityGroup"] : undefined
    const pointer = `/requests/${index}/atomicityGroup`
    if (name === undefined || name === null) {
      names.push(undefined)
      continue
    }
    if (!isOffered) return Result.fail(notOffered(pointer))
    if (typeof name !== "string" || name === "" || name.length > 256) {
      const detail = `"atomicityGroup" must be a string of 1 to 256 characters`
      return Result.fail(BatchError.invalid("INVALID_BATCH", detail, pointer))
    }
    const group = members.get(name)
    if (group !== undefined && names.at(-1) !== name) {
      const detail = `The requests of the atomicity group ${JSON.stringify(name)} must be adjacent`
      return Result.fail(BatchError.invalid("INVALID_BATCH", detail, pointer))
    }
    if (group === undefined) members.set(name, new Set([index]))
    else group.add(index)
    names.push(name)
  }
  return Result.succeed({ members, groupOf: (position) => names[position] })
}

const notOffered = (pointer: string): BatchError =>
  BatchError.invalid(
    "STRATEGY_NOT_OFFERED",
    `This endpoint does not offer "atomicityGroup": send the requests without it`,
    pointer,
  )
