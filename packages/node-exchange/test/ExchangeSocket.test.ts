import { readFileSync } from "node:fs"
import type { IncomingMessage } from "node:http"
import { createServer, request as openRequest } from "node:https"
import { type AddressInfo, Socket } from "node:net"
import { join } from "node:path"
import { finished } from "node:stream/promises"
import type { TLSSocket } from "node:tls"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { ask, open, type Open, tick } from "./fixtures/open.ts"

describe("the socket of a sub-request", () => {
  let twin: Open
  beforeAll(async () => {
    twin = await open((_request, response) => response.end())
  })
  afterAll(() => twin.close())

  const look = async <A>(take: (socket: Socket, request: IncomingMessage) => A): Promise<A> => {
    const seen: Array<A> = []
    await twin.ask({}, (request, response) => {
      seen.push(take(request.socket, request))
      response.end()
    })
    return seen[0] as A
  }

  it("has the addresses of the outer one and is another", async () => {
    const { socket } = twin.outer
    const names = ["remoteAddress", "remotePort", "remoteFamily", "localAddress", "localPort", "localFamily"] as const
    await look((own, request) => {
      expect(own).not.toBe(socket)
      expect(own).toBeInstanceOf(Socket)
      expect(request.connection).toBe(own)
      expect(names.map((name) => own[name])).toEqual(names.map((name) => socket[name]))
      expect(own.address()).toEqual(socket.address())
      expect([own.readable, own.writable, own.destroyed, "encrypted" in own, Reflect.get(own, "encrypted")]).toEqual([
        true,
        true,
        false,
        true,
        undefined,
      ])
      expect(Reflect.get(own, "getPeerCertificate")).toBeUndefined()
    })
  })

  it("shows what the application noted on the connection, and keeps what a sub-request notes to itself", async () => {
    Object.assign(twin.outer.socket, { tenant: "acme", _private: 1, act: () => "acted" })
    await look((own) => {
      expect([Reflect.get(own, "tenant"), Reflect.get(own, "_private"), Reflect.get(own, "act")]).toEqual([
        "acme",
        undefined,
        undefined,
      ])
      Object.assign(own, { tenant: "other", own: true })
      expect(Reflect.get(own, "tenant")).toBe("other")
    })
    expect(Reflect.get(twin.outer.socket, "tenant")).toBe("acme")
    expect(Reflect.get(twin.outer.socket, "own")).toBeUndefined()
  })

  it("can be listened to, waited for and ended without the outer one noticing", async () => {
    const { socket } = twin.outer
    const before = socket.eventNames().map((name) => socket.listenerCount(name))
    const closed = await look((own) => {
      own.setNoDelay().setKeepAlive().pause().resume().ref().unref()
      return finished(own as never).then(
        () => "closed",
        () => "closed",
      )
    })
    expect(closed).toBe("closed")
    expect(socket.eventNames().map((name) => socket.listenerCount(name))).toEqual(before)
    expect(socket.destroyed).toBe(false)
  })

  it("times out when nothing is written for as long as was asked", async () => {
    const events: Array<string> = []
    const slow = twin.ask({}, (request, response) => {
      request.socket.on("timeout", () => events.push("socket"))
      response.setTimeout(20, () => {
        events.push("response")
        response.writeHead(503).end("slow")
      })
    })
    expect((await slow).status).toBe(503)
    expect(events).toEqual(["response", "socket"])
    await expect(twin.ask({}, (request) => request.socket.setTimeout(10))).rejects.toMatchObject({
      reason: "destroyed",
    })
    const quick = await twin.ask({}, (request, response) => {
      request.setTimeout(10)
      response.setTimeout(0)
      setTimeout(() => response.end("in time"), 30)
    })
    expect(quick.text).toBe("in time")
  })

  it("asks a TLS connection about its peer", async () => {
    const read = (name: string): Buffer => readFileSync(join(import.meta.dirname, "fixtures", name))
    const cert = read("certificate.pem")
    const waiting = Promise.withResolvers<IncomingMessage>()
    const server = createServer(
      { key: read("key.pem"), cert, ca: cert, requestCert: true, rejectUnauthorized: false },
      (request) => waiting.resolve(request),
    )
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const { port } = server.address() as AddressInfo
    const outgoing = openRequest({ host: "127.0.0.1", port, key: read("key.pem"), cert, rejectUnauthorized: false })
    outgoing.on("error", () => {})
    outgoing.end()
    const outer = await waiting.promise
    const reply = await ask(
      outer,
      {},
      {
        handle: (request, response) => {
          const socket = request.socket as TLSSocket
          response.end(
            [
              socket.encrypted,
              socket.authorized,
              socket.getPeerCertificate().subject.CN,
              socket.getProtocol(),
              socket.isSessionReused(),
            ].join(),
          )
        },
      },
    )
    const real = outer.socket as TLSSocket
    expect(reply.text).toBe(["true", real.authorized, "localhost", real.getProtocol(), "false"].join())
    await tick()
    outgoing.destroy()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
})
