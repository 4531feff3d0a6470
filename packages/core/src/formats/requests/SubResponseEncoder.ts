/** Encodes the replies of a JSON batch. The text of a JSON reply goes into the answer as the application wrote it. */
import * as Base64 from "../../platform/Base64.ts"
import type { Batch } from "../../batch/Batch.ts"
import type { Failure } from "../../batch/Failure.ts"
import * as Json from "../../batch/Json.ts"
import type { Operation } from "../../batch/Operation.ts"
import * as Problem from "../../http/Problem.ts"
import { isJsonType } from "../../http/MediaType.ts"
import type { Reply, SubRequest } from "./SubRequest.ts"
import { tooLarge } from "../MultiStatus.ts"

/** What sub-responses show. */
export interface SubResponseOptions {
  /** Headers of replies, beside `location`, `etag` and `retry-after`, that are shown to the client. */
  readonly exposeHeaders?: ReadonlyArray<string> | undefined
  /** Whether every sub-response with a body names its `Content-Type`, as clients of Graph need it. Default false. */
  readonly contentType?: boolean | undefined
}

type Encoder = (batch: Batch<SubRequest>, responseBytes: number | undefined) => string

export const encoder = ({ exposeHeaders = [], contentType = false }: SubResponseOptions): Encoder => {
  const exposed = [...new Set(["location", "etag", "retry-after", ...exposeHeaders.map((name) => name.toLowerCase())])]
  return (batch, responseBytes) => {
    let room = responseBytes ?? Number.POSITIVE_INFINITY
    const responses = batch.operations.map((operation) => {
      const text = encodeOne(operation, exposed, contentType)
      room -= responseBytes === undefined ? 0 : Json.utf8Length(text)
      return room >= 0 ? text : encodeFailure(operation.id, tooLarge(operation.result!), contentType)
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
  const type = single(reply.headers["content-type"])
  const coding = codingOf(reply)
  const { text, named } = coding === undefined ? encodeBody(reply, type) : encodeCoded(reply)
  const headers: Record<string, string> = {}
  for (const name of exposed) {
    const value = reply.headers[name]
    if (value !== undefined) headers[name] = single(value)!
  }
  if (contentType && reply.body.length > 0) headers["Content-Type"] = type ?? "application/octet-stream"
  else if (named && type !== undefined) headers["content-type"] = type
  if (named && coding !== undefined) headers["content-encoding"] = coding
  const shown = Object.keys(headers).length === 0 ? "" : `"headers":${JSON.stringify(headers)},`
  return `{"id":${JSON.stringify(id)},"status":${reply.status},${replayed ? replayedMember : ""}${shown}"body":${text}}`
}

const single = (value: string | ReadonlyArray<string> | undefined): string | undefined =>
  value === undefined || typeof value === "string" ? value : value.join(", ")

const codingOf = ({ headers }: Reply): string | undefined => {
  const coding = single(headers["content-encoding"])
  return coding === undefined || /^(?:\s*|identity)$/i.test(coding) ? undefined : coding
}

// What is compressed is neither JSON nor text until the client has undone that.
const encodeCoded = ({ body }: Reply): Body =>
  body.length === 0 ? { text: "null", named: false } : { text: JSON.stringify(Base64.encode(body)), named: true }

interface Body {
  readonly text: string
  /** Whether the client cannot tell from the body alone what it is. */
  readonly named: boolean
}

const encodeBody = (reply: Reply, type: string | undefined): Body => {
  if (type !== undefined && isJsonType(type)) {
    if (reply.text === "") return { text: "null", named: false }
    if (isJson(reply.text)) return { text: reply.text, named: false }
  }
  if (reply.body.length === 0) return { text: "null", named: false }
  if (type !== undefined && /^text\//i.test(type)) return { text: JSON.stringify(decodeText(reply, type)), named: true }
  return { text: JSON.stringify(Base64.encode(reply.body)), named: true }
}

// A reply that says JSON and is none would spoil the whole answer, so the text is parsed before it goes in.
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
