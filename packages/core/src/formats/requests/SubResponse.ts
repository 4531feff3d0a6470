/** One response of a JSON batch: what a client sees of the reply to a sub-request. References read the same. */
import * as Base64 from "../../platform/Base64.ts"
import type { Failure } from "../../batch/Failure.ts"
import { type HeaderRecord } from "../../batch/Headers.ts"
import * as Json from "../../batch/Json.ts"
import { isJsonType } from "../../http/MediaType.ts"
import * as Problem from "../../http/Problem.ts"
import type { Reply } from "./SubRequest.ts"

/** Which headers sub-responses contain. */
export interface SubResponseOptions {
  /** Headers of replies, beside `location`, `etag` and `retry-after`, that the client gets. */
  readonly exposeHeaders?: ReadonlyArray<string> | undefined
  /** Whether every sub-response with a body has a `Content-Type`, as Graph clients require. Default false. */
  readonly contentType?: boolean | undefined
}

/** What a client sees of a reply. */
export interface ShownReply {
  readonly status: number
  readonly headers: HeaderRecord
  /** The body as JSON. */
  readonly body: string
  /** Bytes of `headers` and `body` in the response. */
  readonly bytes: number
}

/** Shows replies as one endpoint is configured. */
export type ShowReply = (reply: Reply) => ShownReply

interface Remembered extends ShownReply {
  readonly configuration: string
}

// A reply is shown up to three times: to measure it, to references, and in the response.
const shownReplies = new WeakMap<Reply, Remembered>()

/** Creates the function that shows replies. */
export const replyView = ({ exposeHeaders = [], contentType = false }: SubResponseOptions): ShowReply => {
  const exposed = [...new Set(["location", "etag", "retry-after", ...exposeHeaders.map((name) => name.toLowerCase())])]
  const configuration = [contentType, ...exposed].join()
  return (reply) => {
    const earlier = shownReplies.get(reply)
    if (earlier?.configuration === configuration) return earlier
    const shown = { ...show(reply, exposed, contentType), configuration }
    shownReplies.set(reply, shown)
    return shown
  }
}

const show = (reply: Reply, exposed: ReadonlyArray<string>, contentType: boolean): ShownReply => {
  const type = joinValues(reply.headers["content-type"])
  const coding = codingOf(reply)
  const encoded = coding === undefined ? encodeBody(reply, type) : encodeBytes(reply.body)
  const { text, needsType } = encoded
  const headers: Record<string, string> = {}
  for (const name of exposed) {
    const value = reply.headers[name]
    if (value !== undefined) headers[name] = joinValues(value)!
  }
  if (contentType && encoded !== noBody) headers["Content-Type"] = type ?? "application/octet-stream"
  else if (needsType && type !== undefined) headers["content-type"] = type
  if (needsType && coding !== undefined) headers["content-encoding"] = coding
  const bytes = Json.utf8Length(text) + Json.utf8Length(writeHeaders(headers))
  return { status: reply.status, headers, body: text, bytes }
}

/** Writes one entry of `responses`. */
export const write = (id: string | undefined, { status, headers, body }: ShownReply, replayed: boolean): string =>
  `${head(id, status, replayed)}${writeHeaders(headers)}"body":${body}}`

/** Returns the bytes of an entry that is not a replay. */
export const byteLength = (id: string | undefined, { status, bytes }: ShownReply): number =>
  Json.utf8Length(head(id, status, false)) + bytes + `"body":},`.length

/** Writes the entry of a sub-request that did not run, or whose reply is left out. */
export const writeFailure = (
  id: string | undefined,
  failure: Failure,
  { contentType = false }: SubResponseOptions,
  replayed = false,
): string => {
  const headers = contentType ? { "Content-Type": Problem.mediaType } : {}
  const body = JSON.stringify(Problem.ofFailure(failure))
  return `${head(id, failure.status, replayed)}${writeHeaders(headers)}"body":${body}}`
}

const head = (id: string | undefined, status: number, replayed: boolean): string =>
  `{"id":${JSON.stringify(id)},"status":${status},${replayed ? `"replayed":true,` : ""}`

const writeHeaders = (headers: HeaderRecord): string =>
  Object.keys(headers).length === 0 ? "" : `"headers":${JSON.stringify(headers)},`

const joinValues = (value: string | ReadonlyArray<string> | undefined): string | undefined =>
  value === undefined || typeof value === "string" ? value : value.join(", ")

const codingOf = ({ headers }: Reply): string | undefined => {
  const coding = joinValues(headers["content-encoding"])
  return coding === undefined || /^(?:\s*|identity)$/i.test(coding) ? undefined : coding
}

interface EncodedBody {
  readonly text: string
  /** Whether the client needs the content type to interpret the body. */
  readonly needsType: boolean
}

const noBody: EncodedBody = { text: "null", needsType: false }

// A compressed body is neither JSON nor text before the client has decompressed it.
const encodeBytes = (body: Uint8Array): EncodedBody =>
  body.length === 0 ? noBody : { text: `"${Base64.encode(body)}"`, needsType: true }

const encodeBody = (reply: Reply, type: string | undefined): EncodedBody => {
  if (type !== undefined && isJsonType(type)) {
    if (reply.text === "") return noBody
    if (isJson(reply.text)) return { text: reply.text, needsType: false }
  }
  if (type === undefined || !/^text\//i.test(type)) return encodeBytes(reply.body)
  return reply.text === "" ? noBody : { text: JSON.stringify(decodeText(reply, type)), needsType: true }
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
