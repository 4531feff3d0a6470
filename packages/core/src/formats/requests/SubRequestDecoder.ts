/**
 * Decodes the sub-requests of a JSON batch. An invalid id or dependency refuses the batch; anything else that is invalid
 * refuses only its own operation.
 */
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
import * as UnknownMember from "../UnknownMember.ts"
import * as HostBody from "./HostBody.ts"
import { noReferences, ReferenceReader, type RequestReferences } from "./ReferenceReader.ts"
import { methods, type SubRequest } from "./SubRequest.ts"
import * as SubRequestDependencies from "./SubRequestDependencies.ts"
import * as RequestTarget from "../../http/RequestTarget.ts"

/** Returns what keeps sub-requests in order: those with the same key run in request order among themselves. */
export type OrderRequestsBy = (request: {
  readonly id: string
  /** In upper case. */
  readonly method: string
  /** As it was sent, with its query and its references. */
  readonly url: string
}) => string | undefined

/** How sub-requests are decoded. */
export interface SubRequestDecoding {
  readonly headers: HeaderRules.HeaderRules
  readonly groups: AtomicityGroups
  /** Whether the header `Idempotency-Key` of sub-requests is read. */
  readonly keyed: boolean
  /** Returns the failure of an item that is too large; undefined for others. */
  readonly tooLarge: (item: unknown) => Failure | undefined
  readonly unknownMembers: UnknownMember.UnknownMembers
  readonly orderBy: OrderRequestsBy
  /** Maximum bytes of the URL and the own headers of one sub-request. */
  readonly headerBytes: number
  /** Maximum number of dependencies of the whole batch. */
  readonly dependencies: number
  /** Returns the text of an item's body as the client wrote it; undefined if printing the body changes no number. */
  readonly bodyTextOf: (index: number) => string | undefined
  /** Whether the body may contain references. If not, its strings are not searched. */
  readonly mayHaveReferences: boolean
}

type Members = Readonly<Record<string, unknown>>
type Mutable<A> = { -readonly [Name in keyof A]: A[Name] }

/** Decodes sub-requests; fails for an invalid id, a duplicate id, or an invalid dependency. */
export const decode = (
  items: ReadonlyArray<unknown>,
  options: SubRequestDecoding,
): Result.Result<ReadonlyArray<Operation<SubRequest>>, BatchError> =>
  Result.gen(function* () {
    const ids = yield* readIds(items)
    const references = new ReferenceReader(new Set(ids.keys()))
    const decoded = items.map((item, index) => decodeOne(item as Members, index, references, options))
    const reader = new SubRequestDependencies.DependencyReader(ids, options.groups, options.dependencies)
    for (const [index, { operation, referencedIds }] of decoded.entries()) {
      const { dependsOn } = items[index] as Members
      const accepted = yield* reader.read(dependsOn, referencedIds, index)
      operation.dependsOn = Array.from(accepted, ([id, accept]): Dependency => ({
        operation: decoded[ids.get(id)!]!.operation,
        accept,
      }))
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
  readonly referencedIds: ReadonlySet<string>
}

const decodeOne = (item: Members, index: number, reader: ReferenceReader, options: SubRequestDecoding): Decoded => {
  const operation: Mutable<Operation<SubRequest>> = {
    index,
    id: item["id"] as string,
    action: "",
    input: emptyRequest,
    orderKey: undefined,
    dependsOn: [],
    group: options.groups.groupOf(index),
    result: undefined,
  }
  const refuse = (error: Failure, referencedIds = noReferences.ids): Decoded => {
    operation.result = OperationResult.refused(error)
    return { operation, referencedIds }
  }
  const itemFailure = options.tooLarge(item) ?? unknownMember(item, options)
  if (itemFailure !== undefined) return refuse(itemFailure)
  const read = readRequest(item, index, options)
  if (Result.isFailure(read)) return refuse(read.failure)
  const request = read.success
  const references = options.mayHaveReferences ? reader.read(request) : noReferences
  if (references === undefined) return refuse(tooManyMarks())
  const { ids, ...templates } = references
  const wrong = checkUnlessReferring(request, templates)
  if (wrong !== undefined) return refuse(wrong, ids)
  const key = options.keyed ? readKey(request.headers, templates) : Result.succeed(undefined)
  if (Result.isFailure(key)) return refuse(key.failure, ids)
  operation.action = request.method
  operation.input = { ...request, ...templates }
  operation.orderKey = options.orderBy({ id: operation.id!, method: request.method, url: request.url })
  operation.idempotencyKey = key.success
  return { operation, referencedIds: ids }
}

const knownMembers = new Set(["id", "method", "url", "headers", "body", "dependsOn", "atomicityGroup"])

const unknownMember = (item: Members, { unknownMembers }: SubRequestDecoding): Failure | undefined => {
  const name = unknownMembers === "ignore" ? undefined : UnknownMember.find(item, knownMembers)
  return name === undefined
    ? undefined
    : failure("UNKNOWN_MEMBER", UnknownMember.message(name, knownMembers), { field: name.slice(0, 256) })
}

// What has references is checked once they have been replaced.
const checkUnlessReferring = (
  { url, headers, body }: Pick<SubRequest, "url" | "headers" | "body">,
  { urlTemplate, headerTemplates, bodyHasReferences }: Omit<RequestReferences, "ids">,
): Failure | undefined => {
  const checkedUrl = urlTemplate === undefined ? RequestTarget.check(url) : Result.succeed(url)
  if (Result.isFailure(checkedUrl)) return failure("INVALID_REQUEST", checkedUrl.failure, { field: "url" })
  if (body === undefined || bodyHasReferences || headerTemplates !== undefined) return undefined
  const checkedBody = HostBody.check(body, headers)
  return Result.isFailure(checkedBody) ? failure("INVALID_REQUEST", checkedBody.failure, { field: "body" }) : undefined
}

// The input of operations that are refused.
const emptyRequest: SubRequest = {
  method: "",
  url: "",
  headers: {},
  body: undefined,
  bodyText: undefined,
  poisoned: false,
  urlTemplate: undefined,
  headerTemplates: undefined,
  bodyHasReferences: false,
}

const tooManyMarks = () =>
  failure("INVALID_REQUEST", `The batch has too many "@{" to search for references: send fewer of them`)

const readRequest = (
  { method: sentMethod, url, headers: ownHeaders, body: sentBody }: Members,
  index: number,
  { headers: rules, headerBytes, bodyTextOf }: SubRequestDecoding,
): Result.Result<Omit<SubRequest, keyof RequestReferences>, Failure> => {
  const refuse = (message: string, field: string) => Result.fail(failure("INVALID_REQUEST", message, { field }))
  const method = typeof sentMethod === "string" ? sentMethod.toUpperCase() : ""
  if (!methods.has(method)) return refuse(`"method" must be one of ${[...methods].join(", ")}`, "method")
  if (typeof url !== "string") return refuse(`"url" must be a string`, "url")
  const body = sentBody === null ? undefined : sentBody
  if (body !== undefined && (method === "GET" || method === "HEAD")) {
    return refuse(`A ${method} request has no body: remove "body"`, "body")
  }
  const headers = HeaderRules.check(ownHeaders ?? {}, rules)
  if (Result.isFailure(headers)) return refuse(headers.failure, "headers")
  const tooLarge = HeaderRules.tooLarge(url, headers.success, headerBytes)
  if (tooLarge !== undefined) return Result.fail(failure("HEADERS_TOO_LARGE", tooLarge))
  const poisoned = Json.inspect(body, Number.POSITIVE_INFINITY) === "poisoned"
  const bodyText = body === undefined ? undefined : bodyTextOf(index)
  return Result.succeed({ method, url, headers: headers.success, body, bodyText, poisoned })
}

const readKey = (
  headers: SubRequest["headers"],
  { headerTemplates }: Omit<RequestReferences, "ids">,
): Result.Result<string | undefined, Failure> => {
  const header = headers["idempotency-key"]
  if (header === undefined) return Result.succeed(undefined)
  if (headerTemplates?.has("idempotency-key") === true) {
    // Keys are looked up before anything runs.
    const detail = "The header Idempotency-Key must not contain a reference: send the key itself"
    return Result.fail(failure("INVALID_IDEMPOTENCY_KEY", detail, { field: "headers" }))
  }
  return Result.mapError(IdempotencyKey.fromHeader(header), (detail) =>
    failure("INVALID_IDEMPOTENCY_KEY", `Invalid header Idempotency-Key: ${detail}`, { field: "headers" }),
  )
}
