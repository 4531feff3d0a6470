/** A client of the test application, which sends requests alone and in batches. */
import { isJsonType } from "../../http/MediaType.ts"
import type { ContractRequest } from "./requests.ts"
import { type Connection, latin1, type WireRequest, open, type WireResponse, type Wire } from "./Wire.ts"

/** A running test application. */
export interface RunningServer {
  /** The origin, such as `http://127.0.0.1:3000`. */
  readonly url: string
  /** Opens a connection: `() => connect(port, "127.0.0.1")` with `connect` of `node:net`. */
  readonly connect: () => Connection
  readonly close: () => Promise<unknown>
}

/** A sub-request in the envelope. */
export interface SubRequestMembers extends ContractRequest {
  readonly id?: string | undefined
  readonly dependsOn?: ReadonlyArray<unknown> | undefined
}

/** A sub-response in the response. */
export interface SubResponse {
  readonly id: string
  readonly status: number
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body: unknown
}

/** A client of the test application. */
export interface Client {
  /** Opens a connection. */
  readonly open: () => Wire
  readonly host: string
  /** Sends one request over a new connection. */
  readonly send: (request: WireRequest) => Promise<WireResponse>
  readonly get: (url: string, headers?: WireRequest["headers"]) => Promise<WireResponse>
  /** Posts JSON. */
  readonly post: (url: string, body: unknown, headers?: WireRequest["headers"]) => Promise<WireResponse>
  /** Sends a batch; throws unless its status is 200. Requests without an id get `0`, `1`, …. */
  readonly batch: (
    requests: ReadonlyArray<SubRequestMembers>,
    headers?: WireRequest["headers"],
  ) => Promise<ReadonlyArray<SubResponse>>
}

/** Creates a client of a running application. */
export const makeClient = ({ url, connect }: RunningServer): Client => {
  const { host } = new URL(url)
  const send = async (request: WireRequest) => {
    const wire = open(connect(), host)
    try {
      return await wire.send(request)
    } finally {
      wire.destroy()
    }
  }
  const post: Client["post"] = (path, body, headers) =>
    send({
      method: "POST",
      url: path,
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    })
  return {
    open: () => open(connect(), host),
    host,
    send,
    get: (path, headers) => send({ method: "GET", url: path, headers }),
    post,
    batch: async (requests, headers) => {
      const response = await post("/batch", envelope(requests), headers)
      if (response.status !== 200) throw new Error(`The batch was refused: ${response.status} ${textOf(response)}`)
      return (jsonOf(response) as { readonly responses: ReadonlyArray<SubResponse> }).responses
    },
  }
}

/** Creates the envelope of a batch. Requests without an id get `0`, `1`, …. */
export const envelope = (requests: ReadonlyArray<SubRequestMembers>) => ({
  requests: requests.map((request, index) => ({ ...request, id: request.id ?? String(index) })),
})

/** Creates the request that is sent alone: with the headers that it would inherit in a batch, and its body as bytes. */
export const alone = (
  { method, url, headers: own = {}, body }: ContractRequest,
  outer: WireRequest["headers"],
): WireRequest => {
  const headers: Record<string, string> = { ...outer }
  for (const [name, value] of Object.entries(own)) headers[name.toLowerCase()] = value
  if (body === undefined) return { method: method.toUpperCase(), url, headers }
  const type = (headers["content-type"] ??= "application/json")
  const isCoded = headers["content-encoding"] !== undefined
  if (!isCoded && isJsonType(type)) return { method: method.toUpperCase(), url, headers, body: JSON.stringify(body) }
  const text = String(body)
  const isText = !isCoded && type.startsWith("text/")
  return { method: method.toUpperCase(), url, headers, body: isText ? text : bytesOf(text) }
}

const bytesOf = (base64: string): Uint8Array => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))

/** Returns the body of a response as text. */
export const textOf = ({ body }: WireResponse): string => new TextDecoder().decode(body)

/** Returns the body of a response as JSON. */
export const jsonOf = (response: WireResponse): unknown => JSON.parse(textOf(response))

/** Returns a body as it appears in a sub-response: JSON as it is, text as a string, others in base64, none as `null`. */
export const bodyInBatch = (response: WireResponse): unknown => {
  const { headers, body } = response
  const type = headers["content-type"] ?? ""
  if (body.length === 0) return null
  if (headers["content-encoding"] === undefined && isJsonType(type)) return jsonOf(response)
  if (headers["content-encoding"] === undefined && type.startsWith("text/")) return textOf(response)
  return btoa(latin1(body))
}
