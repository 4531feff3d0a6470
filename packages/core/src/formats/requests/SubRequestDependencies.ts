/** Reads the member `dependsOn` of sub-requests. */
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import { BatchError } from "../../batch/BatchError.ts"
import type { AtomicityGroups } from "./AtomicityGroups.ts"

/** The ids that a request depends on, each with the statuses beside 2xx that all of its entries accept. */
export type AcceptedStatuses = Map<string, ReadonlyArray<number>>

/** Reads the dependencies of the request at `index`; fails for invalid entries, unknown ids and self-references. */
export const read = (
  dependsOn: unknown,
  index: number,
  ids: ReadonlyMap<string, number>,
  { members }: AtomicityGroups,
): Result.Result<AcceptedStatuses, BatchError> => {
  const accepted: AcceptedStatuses = new Map()
  if (dependsOn === undefined || dependsOn === null) return Result.succeed(accepted)
  const pointer = `/requests/${index}/dependsOn`
  const refuse = (detail: string) => Result.fail(BatchError.invalid("INVALID_DEPENDENCY", detail, pointer))
  if (!Array.isArray(dependsOn)) return refuse(`"dependsOn" must be an array of ids`)
  for (const item of dependsOn) {
    const entry = readEntry(item)
    if (entry === undefined) {
      return refuse(`An entry of "dependsOn" must be an id, or {"id": …, "accept": [statuses]}`)
    }
    const { id } = entry
    const position = ids.get(id)
    const group = position === undefined ? members.get(id) : undefined
    if (position === undefined && group === undefined)
      return refuse(`No request of this batch has the id ${JSON.stringify(id)}`)
    if (position === index) return refuse(`The request ${JSON.stringify(id)} depends on itself`)
    if (group?.has(index) === true) return refuse(`The request depends on its own group ${JSON.stringify(id)}`)
    add(entry, accepted)
  }
  return Result.succeed(members.size === 0 ? accepted : expandGroups(accepted, ids, members))
}

interface Entry {
  readonly id: string
  readonly accept: ReadonlyArray<number>
}

const readEntry = (item: unknown): Entry | undefined => {
  if (typeof item === "string") return { id: item, accept: [] }
  if (!Predicate.isObject(item)) return undefined
  const { id, accept = [] } = item as Readonly<Record<string, unknown>>
  const areStatuses =
    Array.isArray(accept) && accept.every((status) => Number.isInteger(status) && status >= 100 && status <= 599)
  return typeof id === "string" && areStatuses ? { id, accept } : undefined
}

const add = ({ id, accept }: Entry, accepted: AcceptedStatuses): void => {
  const earlier = accepted.get(id)
  const statuses = new Set(accept)
  accepted.set(id, earlier === undefined ? [...statuses] : earlier.filter((status) => statuses.has(status)))
}

// A dependency on a group is a dependency on each of its members. Groups are expanded only once all names are unique: a
// short request may repeat the name of a large group many times.
const expandGroups = (
  accepted: AcceptedStatuses,
  ids: ReadonlyMap<string, number>,
  members: AtomicityGroups["members"],
): AcceptedStatuses => {
  const idAt = [...ids.keys()]
  const expanded: AcceptedStatuses = new Map()
  for (const [id, accept] of accepted) {
    if (ids.has(id)) add({ id, accept }, expanded)
    else for (const position of members.get(id)!) add({ id: idAt[position]!, accept }, expanded)
  }
  return expanded
}
