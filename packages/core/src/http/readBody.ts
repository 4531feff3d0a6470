/** Reads a body within its limits: counted and measured while it arrives, never buffered whole first. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { BatchError, ClientGone, ReceiveTimeout } from "../batch/BatchError.ts"
import * as Json from "../batch/Json.ts"
import type { Limits } from "../batch/Limits.ts"
import { isJsonType } from "./MediaType.ts"
import type { Envelope } from "../batch/Codec.ts"
import type { HttpRequest } from "./HttpMessage.ts"
import { JsonScanner } from "./JsonScanner.ts"

/** Bodies up to this size are counted exactly, once parsed: scanning them would gain nothing. */
const scannedFrom = 256 * 1024

/**
 * Reads and parses the body of a batch; refuses what is not JSON in UTF-8, too large, too deep, or has too many items,
 * as soon as that is known.
 */
export const readEnvelope = (request: HttpRequest, limits: Limits): Effect.Effect<Envelope, BatchError> => {
  const refused = refuseHead(request, limits)
  if (refused !== undefined) return Effect.fail(refused)
  if (request.body._tag === "Parsed") return fromParsed(request.body.value, plainLength(request), limits)
  const { bytes } = request.body
  return Effect.tryPromise({
    try: () => collect(bytes, declaredLength(request), limits),
    catch: (error) => (error instanceof BatchError ? error : new BatchError({ reason: new ClientGone({}) })),
  }).pipe(
    Effect.timeoutOrElse({
      duration: Duration.millis(limits.receiveTimeoutMs),
      orElse: () => Effect.fail(new BatchError({ reason: new ReceiveTimeout({ limit: limits.receiveTimeoutMs }) })),
    }),
    Effect.flatMap((chunks) => parse(chunks)),
  )
}

const refuseHead = ({ headers, body }: HttpRequest, { bodyBytes }: Limits): BatchError | undefined => {
  const type = single(headers["content-type"])
  if (type === undefined || !isJsonType(type)) {
    return BatchError.unsupported(`The body must be sent with the content type "application/json"`)
  }
  const charset = /;\s*charset\s*=\s*"?([^\s";]+)/i.exec(type)?.[1]?.toLowerCase() ?? "utf-8"
  if (charset !== "utf-8" && charset !== "utf8")
    return BatchError.unsupported(`JSON must be sent in UTF-8, not in ${charset}`)
  const encoding = encodingOf(headers)
  if (encoding !== "identity" && body._tag === "Stream") {
    return BatchError.unsupported(
      `The content encoding ${JSON.stringify(encoding)} is not supported: send the body uncompressed`,
    )
  }
  const length = Number(single(headers["content-length"]))
  return length > bodyBytes ? BatchError.tooMany("PAYLOAD_TOO_LARGE", bodyBytes, length) : undefined
}

const single = (value: string | ReadonlyArray<string> | undefined): string | undefined =>
  typeof value === "string" ? value : value?.[0]

const encodingOf = (headers: HttpRequest["headers"]): string =>
  single(headers["content-encoding"])?.trim().toLowerCase() ?? "identity"

// What a compressed body declares says nothing about what the host has made of it.
const plainLength = (request: HttpRequest): number | undefined =>
  encodingOf(request.headers) === "identity" ? declaredLength(request) : undefined

const declaredLength = ({ headers }: HttpRequest): number | undefined => {
  const length = single(headers["content-length"])
  return length === undefined ? undefined : Number(length)
}

const fromParsed = (
  value: unknown,
  bytes: number | undefined,
  { depth }: Limits,
): Effect.Effect<Envelope, BatchError> =>
  Json.inspect(value, depth) === "deep"
    ? Effect.fail(BatchError.tooDeep(depth))
    : Effect.succeed({ value, text: undefined, bytes })

const collect = async (
  stream: AsyncIterable<Uint8Array>,
  declared: number | undefined,
  { bodyBytes, operations, depth }: Limits,
): Promise<ReadonlyArray<Uint8Array>> => {
  const scanner = new JsonScanner(operations, depth)
  const chunks: Array<Uint8Array> = []
  let length = 0
  let scanned = declared !== undefined && declared > scannedFrom ? 0 : undefined
  for await (const chunk of stream) {
    length += chunk.length
    if (length > bodyBytes) throw BatchError.tooMany("PAYLOAD_TOO_LARGE", bodyBytes, length)
    chunks.push(chunk)
    if (scanned === undefined && length > scannedFrom) scanned = 0
    if (scanned === undefined) continue
    for (; scanned < chunks.length; scanned++) {
      const finding = scanner.scan(chunks[scanned]!)
      if (finding === "too many") throw BatchError.tooMany("TOO_MANY_OPERATIONS", operations, scanner.count)
      if (finding === "too deep") throw BatchError.tooDeep(depth)
    }
  }
  return chunks
}

const utf8 = new TextDecoder("utf-8", { fatal: true })

const parse = (chunks: ReadonlyArray<Uint8Array>): Effect.Effect<Envelope, BatchError> => {
  const body = concat(chunks)
  return Effect.try({
    try: () => {
      const text = utf8.decode(body)
      return { value: JSON.parse(text) as unknown, text, bytes: body.length }
    },
    catch: (error) => BatchError.invalid("MALFORMED_JSON", `The body is not JSON: ${reason(error, body.length)}`),
  })
}

const reason = (error: unknown, length: number): string => {
  if (length === 0) return "it is empty"
  return error instanceof SyntaxError ? error.message : "it is not encoded in UTF-8"
}

const concat = (chunks: ReadonlyArray<Uint8Array>): Uint8Array => {
  const [first] = chunks
  if (first !== undefined && chunks.length === 1) return first
  const whole = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 0))
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}
