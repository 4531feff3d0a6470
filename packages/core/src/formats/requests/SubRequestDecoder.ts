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
import { noReferences, ReferenceReader } from "./ReferenceReader.ts"
import { methods, safeMethods, type SubRequest } from "./SubRequest.ts"
import * as SubRequestDependencies from "./SubRequestDependencies.ts"
import * as RequestTarget from "../../http/RequestTarget.ts"

/** How sub-requests are decoded. */
export interface SubRequestDecoding {
  readonly headers: HeaderRules.HeaderRules
  readonly groups: AtomicityGroups
  /** Whether the header `Idempotency-Key` of sub-requests is read. */
  readonly keyed: boolean
  /** Returns the failure of an item that is too large; undefined for others. */
  readonly tooLarge: (item: unknown) => Failure | undefined
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
    for (const [index, { operation, referencedIds }] of decoded.entries()) {
      const { dependsOn } = items[index] as Members
      const accepted = yield* SubRequestDependencies.read(dependsOn, index, ids, options.groups)
      for (const id of referencedIds) if (!accepted.has(id)) accepted.set(id, [])
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

const decodeOne = (
  item: Members,
  index: number,
  reader: ReferenceReader,
  { groups, headers, tooLarge, keyed, mayHaveReferences }: SubRequestDecoding,
): Decoded => {
  const operation: Mutable<Operation<SubRequest>> = {
    index,
    id: item["id"] as string,
    action: "",
    input: emptyRequest,
    orderKey: undefined,
    dependsOn: [],
    group: groups.groupOf(index),
    result: undefined,
  }
  const refuse = (error: Failure, referencedIds = noReferences.ids): Decoded => {
    operation.result = OperationResult.refused(error)
    return { operation, referencedIds }
  }
  const sizeFailure = tooLarge(item)
  if (sizeFailure !== undefined) return refuse(sizeFailure)
  const read = readRequest(item, headers)
  if (Result.isFailure(read)) return refuse(read.failure)
  const request = read.success
  const references = mayHaveReferences ? reader.read(request) : noReferences
  if (references === undefined) return refuse(tooManyMarks())
  const { urlTemplate, bodyHasReferences, ids } = references
  if (urlTemplate === undefined) {
    const checked = RequestTarget.check(request.url)
    if (Result.isFailure(checked)) return refuse(failure("INVALID_REQUEST", checked.failure, { field: "url" }), ids)
  }
  const key = keyed ? readKey(request.headers) : Result.succeed(undefined)
  if (Result.isFailure(key)) return refuse(key.failure, ids)
  operation.action = request.method
  operation.input = { ...request, urlTemplate, bodyHasReferences }
  operation.orderKey = safeMethods.has(request.method) ? undefined : RequestTarget.normalise(request.url)
  operation.idempotencyKey = key.success
  return { operation, referencedIds: ids }
}

// The input of operations that are refused.
const emptyRequest: SubRequest = {
  method: "",
  url: "",
  headers: {},
  body: undefined,
  poisoned: false,
  urlTemplate: undefined,
  bodyHasReferences: false,
}

const tooManyMarks = () =>
  failure("INVALID_REQUEST", `The batch has too many "@{" to search for references: send fewer of them`)

const readRequest = (
  { method: sentMethod, url, headers: ownHeaders, body: sentBody }: Members,
  rules: HeaderRules.HeaderRules,
): Result.Result<Omit<SubRequest, "urlTemplate" | "bodyHasReferences">, Failure> => {
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
  const poisoned = Json.inspect(body, Number.POSITIVE_INFINITY) === "poisoned"
  return Result.succeed({ method, url, headers: headers.success, body, poisoned })
}

const readKey = (headers: SubRequest["headers"]): Result.Result<string | undefined, Failure> => {
  const header = headers["idempotency-key"]
  if (header === undefined) return Result.succeed(undefined)
  return Result.mapError(IdempotencyKey.fromHeader(header), (detail) =>
    failure("INVALID_IDEMPOTENCY_KEY", `Invalid header Idempotency-Key: ${detail}`, { field: "headers" }),
  )
}
