/** Encodes the responses of a JSON batch. The text of a JSON reply is copied as the application wrote it. */
import * as Base64 from "../../platform/Base64.ts"
import type { Batch } from "../../batch/Batch.ts"
import type { Failure } from "../../batch/Failure.ts"
import * as Json from "../../batch/Json.ts"
import type { Operation } from "../../batch/Operation.ts"
import * as Problem from "../../http/Problem.ts"
import { isJsonType } from "../../http/MediaType.ts"
import type { Reply, SubRequest } from "./SubRequest.ts"
import { tooLarge } from "../MultiStatus.ts"

/** Which headers sub-responses contain. */
export interface SubResponseOptions {
  /** Headers of replies, beside `location`, `etag` and `retry-after`, that the client gets. */
  readonly exposeHeaders?: ReadonlyArray<string> | undefined
  /** Whether every sub-response with a body has a `Content-Type`, as Graph clients require. Default false. */
  readonly contentType?: boolean | undefined
}

/** Encodes the responses of a batch; `responseBytes` is the maximum size of all of them. */
type Encoder = (batch: Batch<SubRequest>, responseBytes: number | undefined) => string

/** Creates the encoder of an endpoint. */
export const encoder = ({ exposeHeaders = [], contentType = false }: SubResponseOptions): Encoder => {
  const exposed = [...new Set(["location", "etag", "retry-after", ...exposeHeaders.map((name) => name.toLowerCase())])]
  return (batch, responseBytes) => {
    let remainingBytes = responseBytes ?? Number.POSITIVE_INFINITY
    const responses = batch.operations.map((operation) => {
      const text = encodeOne(operation, exposed, contentType)
      remainingBytes -= responseBytes === undefined ? 0 : Json.utf8Length(text)
      return remainingBytes >= 0 ? text : encodeFailure(operation.id, tooLarge(operation.result!), contentType)
    })
    return `{"responses":[${responses.join(",")}]}`
  }
}

const encodeOne = ({ id, result }: Operation, exposed: ReadonlyArray<string>, contentType: boolean): string =>
  result!.failure === undefined
    ? encodeReply(id, result!.value as Reply, exposed, contentType, result!.replayed)
    : encodeFailure(id, result!.failure, contentType, result!.replayed)

const replayedMember = `"replayed":true,`

const encodeFailure = (id: string | undefined, failure: Failure, contentType: boolean, replayed = false): string => {
  const headers = contentType ? `"headers":{"Content-Type":${JSON.stringify(Problem.mediaType)}},` : ""
  return `{"id":${JSON.stringify(id)},"status":${failure.status},${replayed ? replayedMember : ""}${headers}"body":${JSON.stringify(Problem.ofFailure(failure))}}`
}

const encodeReply = (
  id: string | undefined,
  reply: Reply,
  exposed: ReadonlyArray<string>,
  contentType: boolean,
  replayed: boolean,
): string => {
  const type = joinValues(reply.headers["content-type"])
  const coding = codingOf(reply)
  const { text, needsType } = coding === undefined ? encodeBody(reply, type) : encodeCompressed(reply)
  const headers: Record<string, string> = {}
  for (const name of exposed) {
    const value = reply.headers[name]
    if (value !== undefined) headers[name] = joinValues(value)!
  }
  if (contentType && reply.body.length > 0) headers["Content-Type"] = type ?? "application/octet-stream"
  else if (needsType && type !== undefined) headers["content-type"] = type
  if (needsType && coding !== undefined) headers["content-encoding"] = coding
  const headersMember = Object.keys(headers).length === 0 ? "" : `"headers":${JSON.stringify(headers)},`
  return `{"id":${JSON.stringify(id)},"status":${reply.status},${replayed ? replayedMember : ""}${headersMember}"body":${text}}`
}

const joinValues = (value: string | ReadonlyArray<string> | undefined): string | undefined =>
  value === undefined || typeof value === "string" ? value : value.join(", ")

const codingOf = ({ headers }: Reply): string | undefined => {
  const coding = joinValues(headers["content-encoding"])
  return coding === undefined || /^(?:\s*|identity)$/i.test(coding) ? undefined : coding
}

// A compressed body is neither JSON nor text before the client has decompressed it.
const encodeCompressed = ({ body }: Reply): EncodedBody =>
  body.length === 0
    ? { text: "null", needsType: false }
    : { text: JSON.stringify(Base64.encode(body)), needsType: true }

interface EncodedBody {
  readonly text: string
  /** Whether the client needs the content type to interpret the body. */
  readonly needsType: boolean
}

const encodeBody = (reply: Reply, type: string | undefined): EncodedBody => {
  if (type !== undefined && isJsonType(type)) {
    if (reply.text === "") return { text: "null", needsType: false }
    if (isJson(reply.text)) return { text: reply.text, needsType: false }
  }
  if (reply.body.length === 0) return { text: "null", needsType: false }
  if (type !== undefined && /^text\//i.test(type))
    return { text: JSON.stringify(decodeText(reply, type)), needsType: true }
  return { text: JSON.stringify(Base64.encode(reply.body)), needsType: true }
}

// A reply that claims to be JSON but is not would make the whole response invalid.
const isJson = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

const decodeText = ({ body, text }: Reply, type: string): string => {
  const charset = /charset\s*=\s*"?([\w.:-]+)/i.exec(type)?.[1] ?? "utf-8"
  if (/^utf-?8$/i.test(charset)) return text
  try {
    return new TextDecoder(charset).decode(body)
  } catch {
    return text
  }
}
