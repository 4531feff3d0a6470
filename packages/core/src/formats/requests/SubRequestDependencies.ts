/** Reads the member `dependsOn` of sub-requests. */
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import { BatchError } from "../../batch/BatchError.ts"
import type { AtomicityGroups } from "./AtomicityGroups.ts"

/** The ids that a request depends on, each with the statuses beside 2xx that all of its entries accept. */
export type AcceptedStatuses = Map<string, ReadonlyArray<number>>

/** Reads the dependencies of the sub-requests of one batch, and counts them. */
export class DependencyReader {
  private readonly ids: ReadonlyMap<string, number>
  private readonly idAt: ReadonlyArray<string>
  private readonly members: AtomicityGroups["members"]
  private readonly maximum: number
  private count = 0

  /** `maximum` is the number of dependencies that the whole batch may have. */
  constructor(ids: ReadonlyMap<string, number>, { members }: AtomicityGroups, maximum: number) {
    this.ids = ids
    this.idAt = [...ids.keys()]
    this.members = members
    this.maximum = maximum
  }

  /**
   * Reads the dependencies of the request at `index`: its member `dependsOn`, and the ids that it refers to. Fails for invalid
   * entries, unknown ids, self-references, and for more dependencies than the batch may have.
   */
  read(
    dependsOn: unknown,
    referencedIds: ReadonlySet<string>,
    index: number,
  ): Result.Result<AcceptedStatuses, BatchError> {
    const accepted: AcceptedStatuses = new Map()
    const entries = dependsOn ?? []
    const refuse = (detail: string, limit?: number) =>
      Result.fail(BatchError.invalid("INVALID_DEPENDENCY", detail, `/requests/${index}/dependsOn`, limit))
    const refuseCount = () =>
      refuse(`The requests have more than ${this.maximum} dependencies in all: send fewer of them`, this.maximum)
    if (!Array.isArray(entries)) return refuse(`"dependsOn" must be an array of ids`)
    if (this.count + entries.length > this.maximum) return refuseCount()
    for (const item of entries) {
      const entry = readEntry(item)
      if (entry === undefined) {
        return refuse(`An entry of "dependsOn" must be an id, or {"id": …, "accept": [statuses]}`)
      }
      const { id } = entry
      const position = this.ids.get(id)
      const group = position === undefined ? this.members.get(id) : undefined
      if (position === undefined && group === undefined)
        return refuse(`No request of this batch has the id ${JSON.stringify(id)}`)
      if (position === index) return refuse(`The request ${JSON.stringify(id)} depends on itself`)
      if (group?.has(index) === true) return refuse(`The request depends on its own group ${JSON.stringify(id)}`)
      add(entry, accepted)
    }
    for (const id of referencedIds) if (!accepted.has(id)) accepted.set(id, [])
    this.count += this.sizeOf(accepted)
    return this.count > this.maximum ? refuseCount() : Result.succeed(this.expandGroups(accepted))
  }

  // Counted before groups are expanded, so that nothing larger than the limit is built.
  private sizeOf(accepted: AcceptedStatuses): number {
    let size = 0
    for (const id of accepted.keys()) size += this.ids.has(id) ? 1 : this.members.get(id)!.size
    return size
  }

  // A dependency on a group is a dependency on each of its members. Groups are expanded only once all names are unique: a
  // short request may repeat the name of a large group many times.
  private expandGroups(accepted: AcceptedStatuses): AcceptedStatuses {
    if (this.members.size === 0) return accepted
    const expanded: AcceptedStatuses = new Map()
    for (const [id, accept] of accepted) {
      if (this.ids.has(id)) add({ id, accept }, expanded)
      else for (const position of this.members.get(id)!) add({ id: this.idAt[position]!, accept }, expanded)
    }
    return expanded
  }
}

interface Entry {
  readonly id: string
  readonly accept: ReadonlyArray<number>
}

const readEntry = (item: unknown): Entry | undefined => {
  if (typeof item === "string") return { id: item, accept: [] }
  if (!Predicate.isObject(item)) return undefined
  const { id, accept: sentAccept } = item as Readonly<Record<string, unknown>>
  const accept = sentAccept ?? []
  const areStatuses =
    Array.isArray(accept) && accept.every((status) => Number.isInteger(status) && status >= 100 && status <= 599)
  return typeof id === "string" && areStatuses ? { id, accept } : undefined
}

const add = ({ id, accept }: Entry, accepted: AcceptedStatuses): void => {
  const earlier = accepted.get(id)
  const statuses = new Set(accept)
  accepted.set(id, earlier === undefined ? [...statuses] : earlier.filter((status) => statuses.has(status)))
}
