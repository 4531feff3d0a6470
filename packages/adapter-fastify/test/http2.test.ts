import { once } from "node:events"
import { type ClientHttp2Session, connect } from "node:http2"
import { connect as connectTcp } from "node:net"
import { text } from "node:stream/consumers"
import helmet from "@fastify/helmet"
import makeFastify, { type FastifyInstance } from "fastify"
import { afterEach, describe, expect, it } from "vitest"
import { fastifyBatch } from "../src/index.ts"

const closing: Array<() => Promise<unknown>> = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

const requests = [
  { id: "trailer", method: "GET", url: "/trailer" },
  { id: "plain", method: "GET", url: "/plain" },
]
const responses = [
  { id: "trailer", status: 200, body: "body" },
  { id: "plain", status: 200, body: { version: "1.1" } },
]

const addRoutes = async (app: FastifyInstance): Promise<void> => {
  await app.register(helmet)
  await app.register(fastifyBatch, { limits: { bodyBytes: 100_000 } })
  app.get("/trailer", (_request, reply) =>
    reply
      .trailer("x-sum", (_reply, _payload, done) => done(null, "1"))
      .type("text/plain")
      .send("body"),
  )
  app.get("/plain", async ({ raw }) => ({ version: raw.httpVersion }))
  app.batch.requests("/batch")
}

describe("batches over HTTP/2", () => {
  const start = async (
    more: (app: FastifyInstance) => void = () => {},
  ): Promise<{ readonly client: ClientHttp2Session; readonly url: string }> => {
    const app = makeFastify({ http2: true }) as unknown as FastifyInstance
    await addRoutes(app)
    more(app)
    const url = await app.listen({ port: 0, host: "127.0.0.1" })
    const client = connect(url)
    closing.push(
      () => app.close(),
      async () => client.destroy(),
    )
    return { client, url }
  }
  const post = (client: ClientHttp2Session, body: string) => {
    const stream = client.request({ ":method": "POST", ":path": "/batch", "content-type": "application/json" })
    stream.on("error", () => {})
    stream.end(body)
    return stream
  }

  it("apply the rules of HTTP/1.1 to sub-requests, such as those for trailers", async () => {
    const { client } = await start()
    expect(JSON.parse(await text(post(client, JSON.stringify({ requests }))))).toMatchObject({ responses })
  })

  it("refuse a body that is too large", async () => {
    const { client } = await start()
    const stream = post(client, JSON.stringify({ requests: [], more: "x".repeat(400_000) }))
    const [headers] = (await once(stream, "response")) as [Record<string, unknown>]
    expect(headers[":status"]).toBe(413)
    expect(JSON.parse(await text(stream))).toMatchObject({ code: "PAYLOAD_TOO_LARGE" })
  })

  it("keep the server running when the client leaves while sub-requests run and after it has left", async () => {
    const seen: Array<unknown> = []
    let begun = () => {}
    const hasBegun = new Promise<void>((resolve) => (begun = resolve))
    let leave = () => {}
    const hasLeft = new Promise<void>((resolve) => (leave = resolve))
    let finish = () => {}
    const finished = new Promise<void>((resolve) => (finish = resolve))
    const { client, url } = await start((app) => {
      app.get("/late", async (request, reply) => {
        begun()
        await hasLeft
        seen.push(request.ip, request.protocol, typeof request.socket.remoteAddress)
        reply.header("x-late", "1")
        setImmediate(finish)
        return { late: true }
      })
    })
    const other = connect(url)
    closing.push(async () => other.destroy())
    const batch = JSON.stringify({ requests: [{ id: "late", method: "GET", url: "/late" }] })
    post(client, batch)
    await hasBegun
    client.destroy()
    await once(client, "close")
    leave()
    await finished
    expect(seen).toHaveLength(3)
    expect(JSON.parse(await text(post(other, JSON.stringify({ requests }))))).toMatchObject({ responses })
  })
})

it("applies the rules of HTTP/1.1 to the sub-requests of an HTTP/1.0 request", async () => {
  const app = makeFastify()
  closing.push(() => app.close())
  await addRoutes(app)
  await app.listen({ port: 0, host: "127.0.0.1" })
  const socket = connectTcp((app.server.address() as { port: number }).port, "127.0.0.1")
  const body = JSON.stringify({ requests })
  // The server ends the connection after its answer. A client that ended it first would count as gone.
  socket.write(
    `POST /batch HTTP/1.0\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  )
  const answer = await text(socket)
  expect(JSON.parse(answer.slice(answer.indexOf("\r\n\r\n")))).toMatchObject({ responses })
})
