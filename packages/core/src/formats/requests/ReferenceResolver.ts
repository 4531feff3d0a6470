/** Replaces the references of sub-requests with the parts of replies that they refer to. */
import * as Result from "effect/Result"
import { failure } from "../../batch/Failure.ts"
import * as Json from "../../batch/Json.ts"
import type { Operation } from "../../batch/Operation.ts"
import { OperationResult } from "../../batch/OperationResult.ts"
import { isJsonType } from "../../http/MediaType.ts"
import * as Problem from "../../http/Problem.ts"
import * as RequestTarget from "../../http/RequestTarget.ts"
import * as Reference from "./Reference.ts"
import { bodyNotKept } from "./storedReplies.ts"
import type { Reply, SubRequest } from "./SubRequest.ts"

/** A sub-request whose references have been replaced. */
export type ResolvedRequest = Pick<SubRequest, "method" | "url" | "headers" | "body" | "poisoned">

/** Replaces the references of an operation; fails with the operation's result. `operationBytes` limits their values. */
export const resolve = (
  operation: Operation<SubRequest>,
  replies: ReplyCache,
  operationBytes: number,
): Result.Result<ResolvedRequest, OperationResult> => {
  const { input } = operation
  if (input.urlTemplate === undefined && !input.bodyHasReferences) return Result.succeed(input)
  const resolver = new ReferenceResolver(operation, replies, operationBytes)
  try {
    const url = input.urlTemplate === undefined ? input.url : resolver.fillUrl(input.urlTemplate)
    const checked = RequestTarget.check(url)
    if (Result.isFailure(checked)) {
      return Result.fail(OperationResult.refused(failure("INVALID_REQUEST", checked.failure, { field: "url" })))
    }
    const body = input.bodyHasReferences ? resolver.fillBody(input.body) : input.body
    return Result.succeed({ ...input, url, body, poisoned: input.poisoned || resolver.usedObjects })
  } catch (error) {
    if (error instanceof ResolveError) return Result.fail(error.result)
    throw error
  }
}

/** The replies of one batch as references see them. Each is parsed once, and each referenced value measured once. */
export class ReplyCache {
  private readonly roots = new Map<Operation, unknown>()
  private readonly sizes = new WeakMap<object, number>()

  /** Returns the value `{ status, headers, body }` that references to an operation look into. */
  rootOf(operation: Operation): unknown {
    if (!this.roots.has(operation)) this.roots.set(operation, readRoot(operation))
    return this.roots.get(operation)
  }

  /** Returns the size of a value in bytes. */
  sizeOf(value: unknown): number {
    if (typeof value !== "object" || value === null) return String(value).length
    const size = this.sizes.get(value) ?? Json.byteLength(value)
    this.sizes.set(value, size)
    return size
  }
}

const readRoot = ({ result }: Operation): unknown => {
  if (result!.failure !== undefined) {
    return { status: result!.status, headers: {}, body: Problem.ofFailure(result!.failure) }
  }
  const { status, headers, text } = result!.value as Reply
  return { status, headers, body: readBody(headers["content-type"], text) }
}

const readBody = (type: string | ReadonlyArray<string> | undefined, text: string): unknown => {
  if (typeof type !== "string" || !isJsonType(type)) return text
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** Thrown where a reference cannot be resolved. */
class ResolveError {
  readonly result: OperationResult
  constructor(result: OperationResult) {
    this.result = result
  }
}

const unresolved = (reference: Reference.Reference, detail: string): ResolveError =>
  new ResolveError(
    OperationResult.skipped(
      failure("UNRESOLVED_REFERENCE", `Not run: ${Reference.toText(reference)} cannot be resolved because ${detail}`),
    ),
  )

const tooLarge = (limit: number): ResolveError =>
  new ResolveError(
    OperationResult.refused(failure("PAYLOAD_TOO_LARGE", `The values of its references exceed ${limit} bytes`)),
  )

class ReferenceResolver {
  /**
   * Whether the body contains objects of replies. They have not been inspected, and other requests may contain the same
   * objects, so the body must be passed on as text only.
   */
  usedObjects = false
  private readonly replies: ReplyCache
  private readonly limit: number
  private remainingBytes: number
  private readonly known: Reference.KnownIds
  private readonly operations: ReadonlyMap<string, Operation>

  constructor({ dependsOn }: Operation<SubRequest>, replies: ReplyCache, limit: number) {
    this.replies = replies
    this.limit = limit
    this.remainingBytes = limit
    this.operations = new Map(dependsOn.map(({ operation }) => [operation.id!, operation]))
    this.known = Reference.knownIds(new Set(this.operations.keys()))
  }

  fillUrl(template: Reference.Template): string {
    return template.map((part) => (typeof part === "string" ? part : encodeForUrl(part, this.valueOf(part)))).join("")
  }

  fillBody(value: unknown): unknown {
    if (typeof value === "string") return this.fillText(value)
    if (typeof value !== "object" || value === null) return value
    if (Array.isArray(value)) return value.map((element) => this.fillBody(element))
    // `fromEntries` defines own properties, so a member named "__proto__" stays a member.
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, this.fillBody(member)]))
  }

  private fillText(text: string): unknown {
    const template = Reference.parse(text, this.known)
    if (template === undefined) return text
    const [only] = template
    if (template.length === 1 && only !== undefined && typeof only !== "string") {
      const value = this.valueOf(only)
      if (typeof value === "object" && value !== null) this.usedObjects = true
      return value
    }
    return template
      .map((part) => {
        if (typeof part === "string") return part
        const value = this.valueOf(part)
        return typeof value === "string" ? value : JSON.stringify(value)
      })
      .join("")
  }

  private valueOf(reference: Reference.Reference): unknown {
    const operation = this.operations.get(reference.id)!
    const root = this.replies.rootOf(operation)
    const isBodyKept = (operation.result?.value as Reply | undefined)?.isBodyKept ?? true
    if (!isBodyKept && reference.path[0] === "body") throw unresolved(reference, bodyNotKept)
    const value = Reference.follow(root, reference.path)
    if (Result.isFailure(value)) throw unresolved(reference, `"${value.failure}" does not exist`)
    this.remainingBytes -= this.replies.sizeOf(value.success)
    if (this.remainingBytes < 0) throw tooLarge(this.limit)
    return value.success
  }
}

const encodeForUrl = (reference: Reference.Reference, value: unknown): string => {
  if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") {
    throw unresolved(reference, "only strings, numbers and booleans are allowed in a URL")
  }
  const text = String(value)
  if (text === "" || text === "." || text === "..") {
    throw unresolved(reference, `${JSON.stringify(text)} is not allowed in a URL`)
  }
  try {
    return encodeURIComponent(text)
  } catch {
    throw unresolved(reference, "its value is not well-formed Unicode")
  }
}
