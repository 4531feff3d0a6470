import { readFileSync } from "node:fs"
import type { IncomingMessage } from "node:http"
import { createServer, request as openRequest } from "node:https"
import { type AddressInfo, Socket } from "node:net"
import { join } from "node:path"
import { finished } from "node:stream/promises"
import type { TLSSocket } from "node:tls"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { dispatch, startTestServer, type TestServer, tick } from "./fixtures/TestServer.ts"

describe("the socket of a sub-request", () => {
  let server: TestServer
  beforeAll(async () => {
    server = await startTestServer((_request, response) => response.end())
  })
  afterAll(() => server.close())

  /** Dispatches a request and returns what `read` returns for its socket. */
  const readInHandler = async <A>(read: (socket: Socket, request: IncomingMessage) => A): Promise<A> => {
    const seen: Array<A> = []
    await server.dispatch({}, (request, response) => {
      seen.push(read(request.socket, request))
      response.end()
    })
    return seen[0] as A
  }

  it("is a socket of its own with the addresses of the outer one", async () => {
    const { socket } = server.outer
    const names = ["remoteAddress", "remotePort", "remoteFamily", "localAddress", "localPort", "localFamily"] as const
    await readInHandler((own, request) => {
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

  it("reads properties that the application set on the outer socket, and keeps its own properties to itself", async () => {
    Object.assign(server.outer.socket, { tenant: "acme", _private: 1, act: () => "acted" })
    await readInHandler((own) => {
      expect([Reflect.get(own, "tenant"), Reflect.get(own, "_private"), Reflect.get(own, "act")]).toEqual([
        "acme",
        undefined,
        undefined,
      ])
      Object.assign(own, { tenant: "other", own: true })
      expect(Reflect.get(own, "tenant")).toBe("other")
    })
    expect(Reflect.get(server.outer.socket, "tenant")).toBe("acme")
    expect(Reflect.get(server.outer.socket, "own")).toBeUndefined()
  })

  it("can be listened to, awaited and ended without an effect on the outer socket", async () => {
    const { socket } = server.outer
    const before = socket.eventNames().map((name) => socket.listenerCount(name))
    const closed = await readInHandler((own) => {
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

  it("times out after the idle time that the application set", async () => {
    const events: Array<string> = []
    const slow = server.dispatch({}, (request, response) => {
      request.socket.on("timeout", () => events.push("socket"))
      response.setTimeout(20, () => {
        events.push("response")
        response.writeHead(503).end("slow")
      })
    })
    expect((await slow).status).toBe(503)
    expect(events).toEqual(["response", "socket"])
    await expect(server.dispatch({}, (request) => request.socket.setTimeout(10))).rejects.toMatchObject({
      reason: "destroyed",
    })
    const quick = await server.dispatch({}, (request, response) => {
      request.setTimeout(10)
      response.setTimeout(0)
      setTimeout(() => response.end("in time"), 30)
    })
    expect(quick.text).toBe("in time")
  })

  it("reads the peer of a TLS connection", async () => {
    const read = (name: string): Buffer => readFileSync(join(import.meta.dirname, "fixtures", name))
    const cert = read("certificate.pem")
    const outerRequest = Promise.withResolvers<IncomingMessage>()
    const server = createServer(
      { key: read("key.pem"), cert, ca: cert, requestCert: true, rejectUnauthorized: false },
      (request) => outerRequest.resolve(request),
    )
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const { port } = server.address() as AddressInfo
    const outgoing = openRequest({ host: "127.0.0.1", port, key: read("key.pem"), cert, rejectUnauthorized: false })
    outgoing.on("error", () => {})
    outgoing.end()
    const outer = await outerRequest.promise
    const reply = await dispatch(
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
