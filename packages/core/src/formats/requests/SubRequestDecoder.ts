/** Decodes the sub-requests of a JSON batch: ids and dependencies concern the batch, everything else one operation. */
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import { BatchError } from "../../batch/BatchError.ts"
import { type Failure, failure } from "../../batch/Failure.ts"
import type { AtomicityGroups } from "./AtomicityGroups.ts"
import * as HeaderRules from "../../http/HeaderRules.ts"
import * as IdempotencyKey from "../../http/IdempotencyKey.ts"
import * as Json from "../../batch/Json.ts"
import type { Dependency, Operation } from "../../batch/Operation.ts"
import { OperationResult } from "../../batch/OperationResult.ts"
import * as Reference from "./Reference.ts"
import { methods, safeMethods, type SubRequest } from "./SubRequest.ts"
import * as RequestTarget from "../../http/RequestTarget.ts"

export interface DecodeSubRequests {
  readonly headers: HeaderRules.HeaderRules
  readonly groups: AtomicityGroups
  /** Whether the header `Idempotency-Key` of sub-requests is read. */
  readonly keyed: boolean
  readonly tooLarge: (item: unknown) => Failure | undefined
  /** Whether the body as a whole may hold a reference; false saves looking through every string. */
  readonly mayRefer: boolean
}

type Members = Readonly<Record<string, unknown>>
type Mutable<A> = { -readonly [Name in keyof A]: A[Name] }

/** Marks times id lengths that may be tried for the references of one batch; only hostile texts need more. */
const referenceEffort = 1_000_000

/** Decodes sub-requests; refuses the batch for a bad id, a duplicate, or a bad dependency. */
export const decode = (
  items: ReadonlyArray<unknown>,
  options: DecodeSubRequests,
): Result.Result<ReadonlyArray<Operation<SubRequest>>, BatchError> =>
  Result.gen(function* () {
    const ids = yield* readIds(items)
    const names = Reference.names(new Set(ids.keys()))
    const decoded: Array<Decoded> = []
    const budget = { left: referenceEffort }
    for (let index = 0; index < items.length; index++) {
      decoded.push(decodeOne(items[index] as Members, index, names, budget, options))
    }
    for (let index = 0; index < items.length; index++) {
      const { operation, refers } = decoded[index]!
      const byId = (id: string) => decoded[ids.get(id)!]!.operation
      const named = yield* readDependsOn((items[index] as Members)["dependsOn"], index, ids, options.groups)
      for (const id of refers) if (!named.has(id)) named.set(id, [])
      operation.dependsOn = Array.from(named, ([id, accept]): Dependency => ({ operation: byId(id), accept }))
    }
    return decoded.map(({ operation }) => operation)
  })

const readIds = (items: ReadonlyArray<unknown>): Result.Result<ReadonlyMap<string, number>, BatchError> => {
  const ids = new Map<string, number>()
  for (let index = 0; index < items.length; index++) {
    const item = items[index]
    const pointer = `/requests/${index}`
    if (!Predicate.isObject(item)) {
      return Result.fail(BatchError.invalid("INVALID_BATCH", "A request must be a JSON object", pointer))
    }
    const id = Object.hasOwn(item, "id") ? (item as Members)["id"] : undefined
    if (typeof id !== "string" || id === "" || id.length > 256) {
      const detail = `"id" must be a string of 1 to 256 characters`
      return Result.fail(BatchError.invalid("INVALID_BATCH", detail, `${pointer}/id`))
    }
    const earlier = ids.get(id)
    if (earlier !== undefined) {
      const detail = `The id ${JSON.stringify(id)} is used by the requests ${earlier} and ${index}: ids must be unique`
      return Result.fail(BatchError.invalid("DUPLICATE_ID", detail, `${pointer}/id`))
    }
    ids.set(id, index)
  }
  return Result.succeed(ids)
}

interface Decoded {
  readonly operation: Mutable<Operation<SubRequest>>
  /** Ids that references name. */
  readonly refers: ReadonlySet<string>
}

const decodeOne = (
  item: Members,
  index: number,
  names: Reference.Names,
  budget: { left: number },
  options: DecodeSubRequests,
): Decoded => {
  const id = item["id"] as string
  const read = readRequest(item, options)
  const refers = new Set<string>()
  const refuse = (error: Failure): Decoded => ({
    operation: { ...refused(index, id, options.groups.groupOf(index)), result: OperationResult.refused(error) },
    refers,
  })
  if (Result.isFailure(read)) return refuse(read.failure)
  const request: Mutable<SubRequest> = read.success
  if (options.mayRefer) {
    const effort = effortOf(request, names)
    if (effort > budget.left) {
      return refuse(
        failure("INVALID_REQUEST", `There are too many "@{" to look for references in: send fewer of them in a batch`),
      )
    }
    budget.left -= effort
    request.urlTemplate = Reference.parse(request.url, names)
    collect(request.urlTemplate, refers)
    request.bodyRefers = eachString(request.body, (text) => collect(Reference.parse(text, names), refers))
  }
  if (request.urlTemplate === undefined) {
    const checked = RequestTarget.check(request.url)
    if (Result.isFailure(checked)) return refuse(failure("INVALID_REQUEST", checked.failure, { field: "url" }))
  }
  const key = options.keyed ? readKey(request.headers) : Result.succeed(undefined)
  if (Result.isFailure(key)) return refuse(key.failure)
  const orderKey = safeMethods.has(request.method) ? undefined : RequestTarget.normalise(request.url)
  const operation = {
    index,
    id,
    action: request.method,
    input: request,
    orderKey,
    dependsOn: [],
    group: options.groups.groupOf(index),
    idempotencyKey: key.success,
    result: undefined,
  }
  return { operation, refers }
}

const refused = (index: number, id: string, group: string | undefined): Operation<SubRequest> => ({
  index,
  id,
  action: "",
  input: {
    method: "",
    url: "",
    headers: {},
    body: undefined,
    poisoned: false,
    urlTemplate: undefined,
    bodyRefers: false,
  },
  orderKey: undefined,
  dependsOn: [],
  group,
  result: undefined,
})

const readRequest = (
  item: Members,
  { headers: rules, tooLarge }: DecodeSubRequests,
): Result.Result<SubRequest, Failure> => {
  const refuse = (message: string, field: string) => Result.fail(failure("INVALID_REQUEST", message, { field }))
  const large = tooLarge(item)
  if (large !== undefined) return Result.fail(large)
  const { method: given, url, headers: own, body: sent } = item
  const method = typeof given === "string" ? given.toUpperCase() : ""
  if (!methods.has(method)) return refuse(`"method" must be one of ${[...methods].join(", ")}`, "method")
  if (typeof url !== "string") return refuse(`"url" must be a string`, "url")
  const body = sent === null ? undefined : sent
  if (body !== undefined && (method === "GET" || method === "HEAD")) {
    return refuse(`A ${method} request has no body: remove "body"`, "body")
  }
  const headers = HeaderRules.check(own ?? {}, rules)
  if (Result.isFailure(headers)) return refuse(headers.failure, "headers")
  const poisoned = Json.inspect(body, Number.POSITIVE_INFINITY) === "poisoned"
  return Result.succeed({
    method,
    url,
    headers: headers.success,
    body,
    poisoned,
    urlTemplate: undefined,
    bodyRefers: false,
  })
}

const readKey = (headers: SubRequest["headers"]): Result.Result<string | undefined, Failure> => {
  const header = headers["idempotency-key"]
  if (header === undefined) return Result.succeed(undefined)
  return Result.mapError(IdempotencyKey.fromHeader(header), (why) =>
    failure("INVALID_IDEMPOTENCY_KEY", `In the header "Idempotency-Key" ${why}`, { field: "headers" }),
  )
}

interface Named {
  readonly id: string
  readonly accept: ReadonlyArray<number>
}

/** Ids, each with the statuses beside 2xx that every entry that names it accepts. */
type Accepted = Map<string, ReadonlyArray<number>>

const readDependsOn = (
  given: unknown,
  index: number,
  ids: ReadonlyMap<string, number>,
  { members }: AtomicityGroups,
): Result.Result<Accepted, BatchError> => {
  const named: Accepted = new Map()
  if (given === undefined || given === null) return Result.succeed(named)
  const pointer = `/requests/${index}/dependsOn`
  const refuse = (detail: string) => Result.fail(BatchError.invalid("INVALID_DEPENDENCY", detail, pointer))
  if (!Array.isArray(given)) return refuse(`"dependsOn" must be an array of ids`)
  for (const entry of given) {
    const dependency = readDependency(entry)
    if (dependency === undefined) return refuse(`"dependsOn" holds ids, or {"id": …, "accept": [statuses]}`)
    const { id } = dependency
    const position = ids.get(id)
    const group = position === undefined ? members.get(id) : undefined
    if (position === undefined && group === undefined)
      return refuse(`No request of this batch has the id ${JSON.stringify(id)}`)
    if (position === index) return refuse(`The request ${JSON.stringify(id)} depends on itself`)
    if (group?.has(index) === true) return refuse(`The request depends on its own group ${JSON.stringify(id)}`)
    add(dependency, named)
  }
  return Result.succeed(members.size === 0 ? named : expand(named, ids, members))
}

const add = ({ id, accept }: Named, to: Accepted): void => {
  const others = to.get(id)
  const also = new Set(accept)
  to.set(id, others === undefined ? [...also] : others.filter((status) => also.has(status)))
}

// To depend on a group is to depend on each of its members. Not before every name stands there once: names are cheap
// to repeat.
const expand = (named: Accepted, ids: ReadonlyMap<string, number>, groups: AtomicityGroups["members"]): Accepted => {
  const idAt = [...ids.keys()]
  const expanded: Accepted = new Map()
  for (const [id, accept] of named) {
    if (ids.has(id)) add({ id, accept }, expanded)
    else for (const position of groups.get(id)!) add({ id: idAt[position]!, accept }, expanded)
  }
  return expanded
}

const readDependency = (entry: unknown): Named | undefined => {
  if (typeof entry === "string") return { id: entry, accept: [] }
  if (!Predicate.isObject(entry)) return undefined
  const { id, accept = [] } = entry as Members
  const areStatuses =
    Array.isArray(accept) && accept.every((code) => Number.isInteger(code) && code >= 100 && code <= 599)
  return typeof id === "string" && areStatuses ? { id, accept } : undefined
}

const collect = (template: Reference.Template | undefined, into: Set<string>): boolean => {
  for (const part of template ?? []) if (typeof part !== "string") into.add(part.id)
  return template !== undefined
}

const effortOf = ({ url, body }: SubRequest, names: Reference.Names): number => {
  let effort = Reference.effort(url, names)
  eachString(body, (text) => {
    effort += Reference.effort(text, names)
    return false
  })
  return effort
}

// Depth is limited before this is called, so that recursion is.
const eachString = (value: unknown, visit: (text: string) => boolean): boolean => {
  if (typeof value === "string") return visit(value)
  if (typeof value !== "object" || value === null) return false
  let any = false
  for (const member of Object.values(value)) any = eachString(member, visit) || any
  return any
}
