/** A client of the contract's application, which sends requests alone and in batches. */
import { isJsonType } from "../../http/MediaType.ts"
import type { ContractRequest } from "./requests.ts"
import { type Connection, latin1, type Message, open, type Received, type Wire } from "./Wire.ts"

/** A server that runs. */
export interface Started {
  /** Its origin, such as `http://127.0.0.1:3000`. */
  readonly url: string
  /** Opens a connection to it: `() => connect(port, "127.0.0.1")` with `connect` of `node:net`. */
  readonly connect: () => Connection
  readonly close: () => Promise<unknown>
}

/** A sub-request as it stands in the envelope. */
export interface Sent extends ContractRequest {
  readonly id?: string | undefined
  readonly dependsOn?: ReadonlyArray<unknown> | undefined
}

/** A sub-response as it stands in the answer. */
export interface Answered {
  readonly id: string
  readonly status: number
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body: unknown
}

/** A client of the server under test. */
export interface Client {
  readonly open: () => Wire
  readonly host: string
  /** Sends one request over a connection of its own. */
  readonly send: (message: Message) => Promise<Received>
  readonly get: (url: string, headers?: Message["headers"]) => Promise<Received>
  /** Posts JSON. */
  readonly post: (url: string, body: unknown, headers?: Message["headers"]) => Promise<Received>
  /** Sends a batch, with ids `0`, `1`, … where there are none, and expects it to be run. */
  readonly batch: (requests: ReadonlyArray<Sent>, headers?: Message["headers"]) => Promise<ReadonlyArray<Answered>>
}

/** Makes the client of a server that runs. */
export const makeClient = ({ url, connect }: Started): Client => {
  const { host } = new URL(url)
  const send = async (message: Message) => {
    const wire = open(connect(), host)
    try {
      return await wire.send(message)
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
      const answer = await post("/batch", envelope(requests), headers)
      if (answer.status !== 200) throw new Error(`The batch was not run: ${answer.status} ${textOf(answer)}`)
      return (jsonOf(answer) as { readonly responses: ReadonlyArray<Answered> }).responses
    },
  }
}

export const envelope = (requests: ReadonlyArray<Sent>) => ({
  requests: requests.map((request, index) => ({ ...request, id: request.id ?? String(index) })),
})

/** The request as it is sent alone: with what it would inherit, and with its body as text. */
export const alone = (
  { method, url, headers: own = {}, body }: ContractRequest,
  outer: Message["headers"],
): Message => {
  const headers: Record<string, string> = { ...outer }
  for (const [name, value] of Object.entries(own)) headers[name.toLowerCase()] = value
  if (body === undefined) return { method: method.toUpperCase(), url, headers }
  const type = (headers["content-type"] ??= "application/json")
  const text = typeof body === "string" && !isJsonType(type) ? body : JSON.stringify(body)
  return { method: method.toUpperCase(), url, headers, body: text }
}

export const textOf = ({ body }: Received): string => new TextDecoder().decode(body)

export const jsonOf = (received: Received): unknown => JSON.parse(textOf(received))

/** A body as a JSON batch shows it: JSON as it is, text as a string, the rest in base64, nothing as `null`. */
export const bodyInBatch = (received: Received): unknown => {
  const { headers, body } = received
  const type = headers["content-type"] ?? ""
  if (body.length === 0) return null
  if (headers["content-encoding"] === undefined && isJsonType(type)) return jsonOf(received)
  if (headers["content-encoding"] === undefined && type.startsWith("text/")) return textOf(received)
  return btoa(latin1(body))
}
