/** Reads the body of a batch. Its limits are checked while it arrives, before it is buffered as a whole. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { BatchError } from "../batch/BatchError.ts"
import { ClientGone, ReceiveTimeout } from "../batch/RefusalReason.ts"
import * as Json from "../batch/Json.ts"
import type { Limits } from "../batch/Limits.ts"
import { isJsonType } from "./MediaType.ts"
import type { Envelope } from "../batch/Codec.ts"
import type { HttpRequest } from "./HttpMessage.ts"
import { JsonScanner, maximumMembers } from "./JsonScanner.ts"
import { parseInSlices } from "./parseInSlices.ts"

/** Bytes up to which a body is not scanned: a small body is parsed first, and its operations then counted exactly. */
const scannedFrom = 256 * 1024

/**
 * Reads and parses the body of a batch. Fails as soon as the body is known not to be JSON in UTF-8, or to exceed the
 * limits of bytes, depth or operations. `list` is the member that holds the operations.
 */
export const readEnvelope = (
  request: HttpRequest,
  limits: Limits,
  list: string,
): Effect.Effect<Envelope, BatchError> => {
  const error = checkHead(request, limits)
  if (error !== undefined) return Effect.fail(error)
  if (request.body._tag === "Parsed") return fromParsed(request.body.value, decodedLength(request), limits)
  const { bytes } = request.body
  return Effect.tryPromise({
    try: () => collect(bytes, declaredLength(request), limits, list),
    catch: (error) => (error instanceof BatchError ? error : new BatchError({ reason: new ClientGone({}) })),
  }).pipe(
    Effect.timeoutOrElse({
      duration: Duration.millis(limits.receiveTimeoutMs),
      orElse: () => Effect.fail(new BatchError({ reason: new ReceiveTimeout({ limit: limits.receiveTimeoutMs }) })),
    }),
    Effect.flatMap((chunks) => parse(chunks, limits, list)),
  )
}

const checkHead = ({ headers, body }: HttpRequest, { bodyBytes }: Limits): BatchError | undefined => {
  const type = firstOf(headers["content-type"])
  if (type === undefined || !isJsonType(type)) {
    return BatchError.unsupported(`The body must be sent with the content type "application/json"`)
  }
  const charset = /;\s*charset\s*=\s*"?([^\s";]+)/i.exec(type)?.[1]?.toLowerCase() ?? "utf-8"
  if (charset !== "utf-8" && charset !== "utf8")
    return BatchError.unsupported(`The body must be encoded in UTF-8, not in ${charset}`)
  const encoding = encodingOf(headers)
  if (encoding !== "identity" && body._tag === "Stream") {
    return BatchError.unsupported(
      `The content encoding ${JSON.stringify(encoding)} is not supported: send the body uncompressed`,
    )
  }
  const length = Number(firstOf(headers["content-length"]))
  return length > bodyBytes ? BatchError.tooMany("PAYLOAD_TOO_LARGE", bodyBytes, length) : undefined
}

const firstOf = (value: string | ReadonlyArray<string> | undefined): string | undefined =>
  typeof value === "string" ? value : value?.[0]

const encodingOf = (headers: HttpRequest["headers"]): string =>
  firstOf(headers["content-encoding"])?.trim().toLowerCase() ?? "identity"

// The declared length of a compressed body says nothing about its size after the host has decompressed it.
const decodedLength = (request: HttpRequest): number | undefined =>
  encodingOf(request.headers) === "identity" ? declaredLength(request) : undefined

const declaredLength = ({ headers }: HttpRequest): number | undefined => {
  const length = firstOf(headers["content-length"])
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
  declaredLength: number | undefined,
  { bodyBytes, operations, depth }: Limits,
  list: string,
): Promise<ReadonlyArray<Uint8Array>> => {
  const scanner = new JsonScanner(list, operations, depth)
  const chunks: Array<Uint8Array> = []
  let length = 0
  let scannedChunks = 0
  let isScanned = declaredLength !== undefined && declaredLength > scannedFrom
  for await (const chunk of stream) {
    length += chunk.length
    if (length > bodyBytes) throw BatchError.tooMany("PAYLOAD_TOO_LARGE", bodyBytes, length)
    chunks.push(chunk)
    isScanned ||= length > scannedFrom
    if (!isScanned) continue
    for (; scannedChunks < chunks.length; scannedChunks++) {
      const scan = scanner.scan(chunks[scannedChunks]!)
      if (scan === "too many") throw BatchError.tooMany("TOO_MANY_OPERATIONS", operations, scanner.count)
      if (scan === "too deep") throw BatchError.tooDeep(depth)
      if (scan === "too many members") throw tooManyMembers
    }
  }
  return chunks
}

const tooManyMembers = BatchError.invalid(
  "INVALID_BATCH",
  `The body has more than ${maximumMembers} members beside each other: put the operations into the list`,
  undefined,
  maximumMembers,
)

const utf8 = new TextDecoder("utf-8", { fatal: true })

const parse = (
  chunks: ReadonlyArray<Uint8Array>,
  limits: Limits,
  list: string,
): Effect.Effect<Envelope, BatchError> => {
  const body = concat(chunks)
  const malformed = (error: unknown) =>
    BatchError.invalid("MALFORMED_JSON", `The body is not JSON: ${messageOf(error, body.length)}`)
  if (body.length <= scannedFrom) {
    return Effect.try({
      try: () => {
        const text = utf8.decode(body)
        return { value: JSON.parse(text) as unknown, text, bytes: body.length }
      },
      catch: malformed,
    })
  }
  return Effect.tryPromise({
    try: async () => {
      const text = utf8.decode(body)
      return { ...(await parseInSlices(text, list, limits.operationBytes)), text, bytes: body.length }
    },
    catch: malformed,
  })
}

const messageOf = (error: unknown, length: number): string => {
  if (length === 0) return "it is empty"
  return error instanceof SyntaxError ? error.message : "it is not encoded in UTF-8"
}

const concat = (chunks: ReadonlyArray<Uint8Array>): Uint8Array => {
  const [first] = chunks
  if (first !== undefined && chunks.length === 1) return first
  const bytes = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 0))
  let offset = 0
  for (const chunk of chunks) {
    bytes.set(chunk, offset)
    offset += chunk.length
  }
  return bytes
}
