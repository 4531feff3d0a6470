/** Runs sub-requests through the host application: resolves references, rebuilds headers, sends, keeps the reply. */
import * as Result from "effect/Result"
import { failure } from "../../batch/Failure.ts"
import type { HeaderRecord } from "../../batch/Headers.ts"
import type { HeaderRules } from "../../http/HeaderRules.ts"
import * as Json from "../../batch/Json.ts"
import * as Limits from "../../batch/Limits.ts"
import type { Operation } from "../../batch/Operation.ts"
import { OperationResult } from "../../batch/OperationResult.ts"
import * as Problem from "../../http/Problem.ts"
import * as Reference from "./Reference.ts"
import { isJsonType } from "../../http/MediaType.ts"
import type { Reply, SubRequest } from "./SubRequest.ts"
import * as RequestTarget from "../../http/RequestTarget.ts"
import type { BatchContext } from "../../batch/BatchContext.ts"
import type { CallContext, Dispatcher } from "../../batch/Dispatcher.ts"

/** A sub-request as the host application gets to see it. */
export interface HostRequest {
  readonly method: string
  /** An absolute path with optional query, checked. */
  readonly url: string
  /** Inherited and own headers, by lower-case name; no `host` and no `content-length`. */
  readonly headers: HeaderRecord
  readonly body: string | undefined
  /** The JSON value that `body` is the text of, where a host may be given it parsed; else undefined. */
  readonly json: unknown
}

/**
 * Sends a sub-request through the host's own routing, without a socket. Throws only if no reply can be had; aborting
 * the call is what the client's going away would be.
 */
export type Send = (request: HostRequest, call: CallContext, batch: BatchContext) => PromiseLike<Reply>

/** How sub-requests reach the host application, and what they bring along. */
export interface SubRequestsOptions {
  readonly send: Send
  readonly rules: HeaderRules
  /** Whether a route is known to write through the transaction it is run in; routes that are not are refused in groups. */
  readonly requireTransaction?: ((request: { readonly method: string; readonly url: string }) => boolean) | undefined
  /** Bytes that references may bring into one request. Default: what one operation may have, 1 MiB. */
  readonly operationBytes?: number | undefined
}

/** The dispatcher of one JSON batch to the host application. */
export const make = (
  { send, rules, requireTransaction, operationBytes = Limits.defaults.operationBytes }: SubRequestsOptions,
  batch: BatchContext,
): Dispatcher<SubRequest> => {
  const inherited = rules.inherit(batch.headers)
  const roots = new Roots()
  return {
    coalesces: () => false,
    run: (operation, call) => {
      const resolved = resolve(operation, roots, operationBytes)
      if (Result.isFailure(resolved)) return resolved.failure
      if (call.atomic && requireTransaction?.(resolved.success) === false) return notJoining(resolved.success)
      return send(toHostRequest(resolved.success, inherited), call, batch).then(toResult)
    },
  }
}

const notJoining = ({ method, url }: Resolved): OperationResult =>
  OperationResult.refused(
    failure(
      "INVALID_REQUEST",
      `${method} ${RequestTarget.pathOf(url)} does not take part in transactions: send it outside of a group`,
    ),
  )

const toResult = (reply: Reply): OperationResult => OperationResult.replied(reply.status, reply)

interface Resolved {
  readonly method: string
  readonly url: string
  readonly headers: HeaderRecord
  readonly body: unknown
  readonly poisoned: boolean
}

const resolve = (
  operation: Operation<SubRequest>,
  roots: Roots,
  operationBytes: number,
): Result.Result<Resolved, OperationResult> => {
  const { input } = operation
  if (input.urlTemplate === undefined && !input.bodyRefers) return Result.succeed(input)
  const replies = new Replies(operation, roots, operationBytes)
  try {
    const url = input.urlTemplate === undefined ? input.url : replies.fillUrl(input.urlTemplate)
    const checked = RequestTarget.check(url)
    if (Result.isFailure(checked)) {
      return Result.fail(OperationResult.refused(failure("INVALID_REQUEST", checked.failure, { field: "url" })))
    }
    const body = input.bodyRefers ? replies.fillBody(input.body) : input.body
    return Result.succeed({ ...input, url, body, poisoned: input.poisoned || replies.gaveObjects })
  } catch (error) {
    if (error instanceof Unresolved) return Result.fail(error.result)
    throw error
  }
}

class Unresolved {
  readonly result: OperationResult
  constructor(result: OperationResult) {
    this.result = result
  }
}

const unresolved = (reference: Reference.Reference, why: string): Unresolved => {
  const error = failure("UNRESOLVED_REFERENCE", `Not run: ${Reference.toText(reference)} ${why}`)
  return new Unresolved(OperationResult.skipped(error))
}

const tooLarge = (limit: number): Unresolved => {
  const error = failure("PAYLOAD_TOO_LARGE", `References bring more than the ${limit} bytes that are allowed`)
  return new Unresolved(OperationResult.refused(error))
}

/** The replies of one batch as references look into them: parsed and measured once, however many do. */
class Roots {
  private readonly roots = new Map<Operation, unknown>()
  private readonly sizes = new WeakMap<object, number>()

  of(operation: Operation): unknown {
    if (!this.roots.has(operation)) this.roots.set(operation, readRoot(operation))
    return this.roots.get(operation)
  }

  sizeOf(value: unknown): number {
    if (typeof value !== "object" || value === null) return String(value).length
    const size = this.sizes.get(value) ?? Json.byteLength(value)
    this.sizes.set(value, size)
    return size
  }
}

/** The replies that the references of one operation may look into. */
class Replies {
  /** Whether the body holds parts of replies, which nobody has inspected, and which other requests may be given too. */
  gaveObjects = false
  private readonly roots: Roots
  private readonly limit: number
  private room: number
  private readonly names: Reference.Names
  private readonly operations: ReadonlyMap<string, Operation>

  constructor({ dependsOn }: Operation<SubRequest>, roots: Roots, limit: number) {
    this.roots = roots
    this.limit = limit
    this.room = limit
    this.operations = new Map(dependsOn.map(({ operation }) => [operation.id!, operation]))
    this.names = Reference.names(new Set(this.operations.keys()))
  }

  fillUrl(template: Reference.Template): string {
    return template.map((part) => (typeof part === "string" ? part : encodeForUrl(part, this.valueOf(part)))).join("")
  }

  fillBody(value: unknown): unknown {
    if (typeof value === "string") return this.fillText(value)
    if (typeof value !== "object" || value === null) return value
    if (Array.isArray(value)) return value.map((element) => this.fillBody(element))
    // Own properties are defined, not assigned: a member named "__proto__" stays a member.
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, this.fillBody(member)]))
  }

  private fillText(text: string): unknown {
    const template = Reference.parse(text, this.names)
    if (template === undefined) return text
    const [only] = template
    if (template.length === 1 && only !== undefined && typeof only !== "string") {
      const value = this.valueOf(only)
      if (typeof value === "object" && value !== null) this.gaveObjects = true
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
    const found = Reference.follow(this.roots.of(this.operations.get(reference.id)!), reference.path)
    if (Result.isFailure(found)) throw unresolved(reference, `does not exist: there is no "${found.failure}"`)
    this.room -= this.roots.sizeOf(found.success)
    if (this.room < 0) throw tooLarge(this.limit)
    return found.success
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

const encodeForUrl = (reference: Reference.Reference, value: unknown): string => {
  if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") {
    throw unresolved(reference, "is neither a string, a number nor a boolean, as a url needs it")
  }
  const text = String(value)
  if (text === "" || text === "." || text === "..") {
    throw unresolved(reference, `is ${JSON.stringify(text)}, which cannot stand in a url`)
  }
  try {
    return encodeURIComponent(text)
  } catch {
    throw unresolved(reference, "is not well-formed Unicode, as a url needs it")
  }
}

const toHostRequest = (
  { method, url, headers: own, body, poisoned }: Resolved,
  inherited: HeaderRecord,
): HostRequest => {
  const headers = Object.assign(Object.create(null), inherited, own) as Record<string, string>
  if (body === undefined) return { method, url, headers, body: undefined, json: undefined }
  const type = own["content-type"]
  if (type === undefined) headers["content-type"] = "application/json"
  const asIs = typeof body === "string" && type !== undefined && !isJsonType(type)
  if (asIs) return { method, url, headers, body, json: undefined }
  return { method, url, headers, body: JSON.stringify(body), json: poisoned ? undefined : body }
}
