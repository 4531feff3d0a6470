/** Replaces the references of sub-requests with the parts of responses that they refer to. */
import * as Result from "effect/Result"
import { type Failure, failure } from "../../batch/Failure.ts"
import type { HeaderRecord } from "../../batch/Headers.ts"
import * as Json from "../../batch/Json.ts"
import type { Operation } from "../../batch/Operation.ts"
import { OperationResult } from "../../batch/OperationResult.ts"
import * as HeaderRules from "../../http/HeaderRules.ts"
import * as RequestTarget from "../../http/RequestTarget.ts"
import { replaceStrings } from "../../batch/JsonText.ts"
import * as Reference from "./Reference.ts"
import type { ReferencedReplies } from "./ReferencedReplies.ts"
import { bodyNotKept } from "./storedReplies.ts"
import type { Reply, SubRequest } from "./SubRequest.ts"

/** A sub-request whose references have been replaced. */
export interface ResolvedRequest extends Pick<SubRequest, "method" | "url" | "headers"> {
  /** The body as JSON text; undefined without a body. */
  readonly text: string | undefined
  /** The value of `text`, if it is the same as the text; undefined otherwise. */
  readonly value: unknown
}

/** What references of one batch read, and how much they may bring. */
export interface ResolveOptions {
  readonly replies: ReferencedReplies
  /** Maximum bytes of the values that references bring into one request. */
  readonly operationBytes: number
  /** The host that the batch was sent to, as in the header `Host`; undefined if it is not known. */
  readonly host: string | undefined
}

/** Replaces the references of an operation; fails with the operation's result. */
export const resolve = (
  operation: Operation<SubRequest>,
  options: ResolveOptions,
): Result.Result<ResolvedRequest, OperationResult> => {
  const { input } = operation
  const { method, body, bodyText } = input
  const written = body === undefined ? undefined : (bodyText ?? JSON.stringify(body))
  if (input.urlTemplate === undefined && input.headerTemplates === undefined && !input.bodyHasReferences) {
    const value = input.poisoned || bodyText !== undefined ? undefined : body
    return Result.succeed({ method, url: input.url, headers: input.headers, text: written, value })
  }
  const resolver = new ReferenceResolver(operation, options)
  try {
    const url = input.urlTemplate === undefined ? input.url : resolver.fillUrl(input.urlTemplate)
    const checked = RequestTarget.check(url)
    if (Result.isFailure(checked)) throw invalid(checked.failure, "url")
    const headers = resolver.fillHeaders(input)
    const text = input.bodyHasReferences && written !== undefined ? resolver.fillBody(written) : written
    return Result.succeed({ method, url, headers, text, value: undefined })
  } catch (error) {
    if (error instanceof ResolveError) return Result.fail(error.result)
    throw error
  }
}

/** Thrown where a reference cannot be resolved. */
class ResolveError {
  readonly result: OperationResult
  constructor(result: OperationResult) {
    this.result = result
  }
}

const refused = (error: Failure): ResolveError => new ResolveError(OperationResult.refused(error))

const invalid = (message: string, field: string): ResolveError =>
  refused(failure("INVALID_REQUEST", message, { field }))

const unresolved = (reference: Reference.Reference, detail: string): ResolveError =>
  new ResolveError(
    OperationResult.skipped(
      failure("UNRESOLVED_REFERENCE", `Not run: ${Reference.toText(reference)} cannot be resolved because ${detail}`),
    ),
  )

class ReferenceResolver {
  private readonly options: ResolveOptions
  private remainingBytes: number
  private readonly known: Reference.KnownIds
  private readonly operations: ReadonlyMap<string, Operation>

  constructor({ dependsOn }: Operation<SubRequest>, options: ResolveOptions) {
    this.options = options
    this.remainingBytes = options.operationBytes
    this.operations = new Map(dependsOn.map(({ operation }) => [operation.id!, operation]))
    this.known = Reference.knownIds(new Set(this.operations.keys()))
  }

  fillUrl(template: Reference.Template): string {
    const [only] = template
    if (template.length === 1 && only !== undefined && typeof only !== "string" && isLocation(only)) {
      return this.pathOfLocation(only)
    }
    return template
      .map((part) => (typeof part === "string" ? part : encodeForUrl(part, this.scalarOf(part, "a URL"))))
      .join("")
  }

  fillHeaders({ headers, headerTemplates }: SubRequest): HeaderRecord {
    if (headerTemplates === undefined) return headers
    const filled = Object.assign(Object.create(null), headers) as Record<string, string>
    for (const [name, template] of headerTemplates) {
      const value = template.map((part) => (typeof part === "string" ? part : this.scalarOf(part, "a header"))).join("")
      if (!HeaderRules.isValue(value)) throw invalid(HeaderRules.invalidValue(name), "headers")
      filled[name] = value.trim()
    }
    return filled
  }

  fillBody(text: string): string {
    return replaceStrings(text, (content) => {
      const template = Reference.parse(content, this.known)
      if (template === undefined) return undefined
      const [only] = template
      if (template.length === 1 && only !== undefined && typeof only !== "string") return this.textOf(only)
      return JSON.stringify(
        template.map((part) => (typeof part === "string" ? part : plainText(this.textOf(part)))).join(""),
      )
    })
  }

  // A location may be relative to the URL of its request, or name the host (RFC 9110, section 10.2.2).
  private pathOfLocation(reference: Reference.Reference): string {
    const { host, replies } = this.options
    const base = `http://${host ?? "host.invalid"}${replies.urlOf(this.operations.get(reference.id)!)}`
    const location = this.scalarOf(reference, "a URL")
    let target: URL
    try {
      target = new URL(location, base)
    } catch {
      throw unresolved(reference, "it is not a URL")
    }
    if (!/^https?:$/.test(target.protocol) || target.host !== new URL(base, "http://host.invalid").host) {
      throw unresolved(reference, "it is a URL of another host")
    }
    return target.pathname + target.search
  }

  private scalarOf(reference: Reference.Reference, place: string): string {
    const text = this.textOf(reference)
    if (text === "null" || text.startsWith("{") || text.startsWith("[")) {
      throw unresolved(reference, `only strings, numbers and booleans are allowed in ${place}`)
    }
    return plainText(text)
  }

  /** Returns the value of a reference as JSON text, as the response shows it. */
  private textOf(reference: Reference.Reference): string {
    const { replies, operationBytes } = this.options
    const operation = this.operations.get(reference.id)!
    const root = replies.rootOf(operation)
    const isBodyKept = (operation.result?.value as Reply | undefined)?.isBodyKept ?? true
    if (!isBodyKept && reference.path[0] === "body") throw unresolved(reference, bodyNotKept)
    if (root === undefined) {
      throw unresolved(reference, "the response was left out: it does not fit in the response of the batch")
    }
    const [part, name, ...rest] = reference.path
    // Names of headers have no letter case.
    const path = part === "headers" && name !== undefined ? [part, name.toLowerCase(), ...rest] : reference.path
    const value = Reference.follow(root, path)
    if (Result.isFailure(value)) throw unresolved(reference, `"${value.failure}" does not exist`)
    const text = value.success.raw
    const bytes = Json.utf8Length(text)
    this.remainingBytes -= bytes
    if (this.remainingBytes < 0) {
      throw refused(failure("PAYLOAD_TOO_LARGE", `The values of its references exceed ${operationBytes} bytes`))
    }
    if (!replies.take(bytes)) {
      const detail = `The values of all references of the batch exceed ${replies.maximumBytes} bytes: send a smaller batch`
      throw refused(failure("PAYLOAD_TOO_LARGE", detail))
    }
    return text
  }
}

const isLocation = ({ path }: Reference.Reference): boolean =>
  path.length === 2 && path[0] === "headers" && path[1]!.toLowerCase() === "location"

const plainText = (text: string): string => (text.startsWith('"') ? (JSON.parse(text) as string) : text)

const encodeForUrl = (reference: Reference.Reference, text: string): string => {
  if (text === "" || text === "." || text === "..") {
    throw unresolved(reference, `${JSON.stringify(text)} is not allowed in a URL`)
  }
  try {
    return encodeURIComponent(text)
  } catch {
    throw unresolved(reference, "its value is not well-formed Unicode")
  }
}
