/**
 * A JSON client over keep-alive connections. It adds little to Node's own client, because its cost is part of every time that
 * the demo measures.
 */
import { Agent, request } from "node:http"
import { once } from "node:events"
import type { IncomingMessage } from "node:http"
import { json } from "node:stream/consumers"

/** A response with its decoded body. */
export interface Reply {
  readonly status: number
  readonly body: unknown
}

/** Sends JSON requests to one origin. */
export interface Client extends Disposable {
  readonly get: (path: string) => Promise<Reply>
  readonly post: (path: string, body: unknown) => Promise<Reply>
}

/** Makes a client whose connections stay open until it is disposed of. */
export const makeClient = (origin: string): Client => {
  const agent = new Agent({ keepAlive: true })
  const send = async (method: string, path: string, payload?: Buffer): Promise<Reply> => {
    const outgoing = request(origin + path, {
      method,
      agent,
      ...(payload !== undefined && {
        headers: { "content-type": "application/json", "content-length": payload.length },
      }),
    })
    outgoing.end(payload)
    const [response] = (await once(outgoing, "response")) as [IncomingMessage]
    return { status: response.statusCode ?? 0, body: await json(response) }
  }
  return {
    get: (path) => send("GET", path),
    post: (path, body) => send("POST", path, Buffer.from(JSON.stringify(body))),
    [Symbol.dispose]: () => agent.destroy(),
  }
}
