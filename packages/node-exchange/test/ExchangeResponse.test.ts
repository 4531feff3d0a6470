import type { RequestListener, ServerResponse } from "node:http"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { makeExchange } from "../src/index.ts"
import { comparablePart } from "../src/testing/index.ts"
import { startTestServer, type TestServer, tick } from "./fixtures/TestServer.ts"

/** The code of the error that a call throws. */
const codeOf = (call: () => unknown): string => {
  try {
    call()
    return "none"
  } catch (error) {
    return String((error as { readonly code?: string }).code)
  }
}

const handlers: Readonly<Record<string, (response: ServerResponse) => unknown>> = {
  "an implicit head": (response) => response.end("body"),
  "nothing at all": (response) => response.end(),
  "an implicit head with a status message": (response) => {
    response.statusMessage = "Well"
    response.end("x")
  },
  "writeHead with a message": (response) => response.writeHead(299, "Odd").end("x"),
  "writeHead with a message and headers": (response) => response.writeHead(200, "Odd", { "X-A": "1" }).end("x"),
  "writeHead with a record": (response) =>
    response.writeHead(200, { "X-A": 1, "X-B": ["1", "2"], "Set-Cookie": ["a", "b"] }).end("x"),
  "writeHead with a flat list": (response) =>
    response.writeHead(200, ["X-A", "1", "X-A", "2", "Set-Cookie", "a"]).end("x"),
  "writeHead with pairs": (response) =>
    response
      .writeHead(200, [
        ["X-A", "1"],
        ["X-A", "2"],
      ] as never)
      .end("x"),
  "writeHead over setHeader": (response) => {
    response.setHeader("X-A", "1").setHeader("X-B", "1")
    response.writeHead(200, { "x-a": "2" }).end("x")
  },
  "writeHead with a list over setHeader": (response) => {
    response.setHeader("X-A", "1")
    response.writeHead(200, ["x-a", "2", "x-a", "3"]).end("x")
  },
  "a removed header": (response) => {
    response.setHeader("X-A", "1").removeHeader("x-a")
    response.end("x")
  },
  "a removed content-length": (response) => {
    response.removeHeader("content-length")
    response.end("x")
  },
  "appended headers": (response) => response.appendHeader("X-A", "1").appendHeader("x-a", ["2", "3"]).end("x"),
  setHeaders: (response) =>
    response
      .setHeaders(
        new Headers([
          ["x-a", "1"],
          ["set-cookie", "a"],
          ["set-cookie", "b"],
        ]),
      )
      .end("x"),
  "several writes": (response) => {
    response.write("é")
    response.write(Buffer.from([0xff, 0]))
    response.write("e9", "hex")
    response.end("é", "latin1")
  },
  "a surrogate pair cut in two": (response) => {
    response.write("\ud83c")
    response.end("\udf89 \ud83c")
  },
  "corked writes": (response) => {
    response.cork()
    response.write("a")
    response.write("b")
    process.nextTick(() => {
      response.uncork()
      response.end("c")
    })
  },
  "flushed headers": (response) => {
    response.flushHeaders()
    setImmediate(() => response.end())
  },
  "a body with 204": (response) => response.writeHead(204).end("dropped"),
  "a body with 304": (response) => response.writeHead(304, { etag: '"a"' }).end("dropped"),
  trailers: (response) => {
    // Node throws if a response without a body has trailers.
    if (response.req.method === "HEAD") return response.end()
    response.writeHead(200, { Trailer: "X-T" })
    response.write("x")
    response.addTrailers({ "X-T": "1" })
    return response.end()
  },
  "informational responses": (response) => {
    response.writeContinue()
    response.writeProcessing()
    response.writeEarlyHints({ link: "</a>; rel=preload" })
    response.end("final")
  },
  "errors of late headers": (response) => {
    response.write("a ")
    response.end(
      [
        () => response.setHeader("a", "b"),
        () => response.appendHeader("a", "b"),
        () => response.removeHeader("a"),
        () => response.writeHead(200),
      ]
        .map(codeOf)
        .join(),
    )
  },
  "errors of bad headers": (response) => {
    const errors = [
      () => response.setHeader("a b", "c"),
      () => response.setHeader("a", "b\n"),
      () => response.setHeader("a", undefined as never),
      () => response.writeHead(200, { "a b": "c" }),
      () => response.writeHead(200, { a: "b\r\nc: d" }),
      () => response.writeHead(200, { a: ["b", "\0"] }),
      () => response.writeHead(200, { a: undefined }),
      () => response.writeHead(200, ["a"]),
      () => response.writeHead(1000),
      () => response.writeHead(200, "bad\r\n"),
      () => response.writeHead(200, { trailer: "x", "content-length": 5 }),
    ].map(codeOf)
    response.statusMessage = "OK"
    response.end(errors.join())
  },
  "a strict length": (response) => {
    response.strictContentLength = true
    response.writeHead(200, { "content-length": 32 })
    response.end(codeOf(() => response.write("x".repeat(33))))
  },
  "errors of bad chunks": (response) => {
    const errors = [
      () => response.write(null as never),
      () => response.write(5 as never),
      () => response.write({} as never),
    ]
    response.end(errors.map(codeOf).join())
  },
  states: (response) => {
    const states = (): string =>
      [
        response.headersSent,
        response.writableEnded,
        response.writableFinished,
        response.finished,
        response.destroyed,
        response.closed,
        response.writable,
      ].join()
    const before = states()
    response.write(`${before}\n`)
    response.write(`${states()}\n`)
    const events: Array<string> = []
    response.on("prefinish", () => events.push(`prefinish ${states()}`))
    response.on("finish", () => events.push(`finish ${states()}`))
    response.on("close", () => {
      events.push(`close ${states()} ${response.socket === null}`)
      eventLogs.push(events)
    })
    response.end(() => events.push("callback"))
    events.push(`ended ${states()}`)
  },
}
const eventLogs: Array<ReadonlyArray<string>> = []

const handle: RequestListener = (request, response) => {
  const respond = handlers[decodeURIComponent(request.url ?? "").slice(1)]
  respond?.(response)
}

describe("a response", () => {
  let server: TestServer
  beforeAll(async () => {
    server = await startTestServer(handle)
  })
  afterAll(() => server.close())

  it.each(Object.keys(handlers).flatMap((name) => ["GET", "HEAD"].map((method) => ({ name, method }))))(
    "with $name is the same as over a socket: $method",
    async ({ name, method }) => {
      const request = { method, url: `/${encodeURIComponent(name)}`, headers: {} }
      const expected = await server.overSocket(request)
      await tick()
      const actual = await server.throughExchange(makeExchange({ handle }), request)
      await tick()
      expect(comparablePart(actual, expected)).toEqual(comparablePart(expected, actual))
      const [expectedEvents, actualEvents] = eventLogs.splice(0)
      expect(actualEvents).toEqual(expectedEvents)
    },
  )

  it("applies backpressure to a fast writer and yields to the event loop", async () => {
    let ticks = 0
    let fullWrites = 0
    const interval = setInterval(() => ticks++, 0)
    const reply = await server.dispatch({}, (_request, response) => {
      let left = 1_000
      const write = (): void => {
        while (left-- > 0) {
          if (response.write("x".repeat(10_000))) continue
          fullWrites++
          expect(response.writableNeedDrain).toBe(true)
          response.once("drain", write)
          return
        }
        response.end()
      }
      write()
    })
    clearInterval(interval)
    expect(reply.body.length).toBe(10_000_000)
    expect(fullWrites).toBeGreaterThan(100)
    expect(ticks).toBeGreaterThan(2)
  })

  it("accepts streams and calls the callbacks of write and end", async () => {
    const piped = await server.dispatch({}, (_request, response) => Readable.from(["a", "b"]).pipe(response))
    expect(piped.text).toBe("ab")
    const source = Readable.from(Array.from({ length: 50 }, () => "y".repeat(9_000)))
    const fromPipeline = await server.dispatch({}, async (_request, response) => pipeline(source, response))
    expect(fromPipeline.body.length).toBe(450_000)
    const called: Array<string> = []
    await server.dispatch({}, (_request, response) => {
      response.write("a", () => called.push("write"))
      response.end("b", () => called.push("end"))
    })
    expect(called).toEqual(["write", "end"])
  })

  it("copies the bytes that it keeps", async () => {
    const reply = await server.dispatch({}, (_request, response) => {
      const buffer = Buffer.from("original")
      response.write(buffer, () => buffer.fill(0))
      setImmediate(() => response.end())
    })
    expect(reply.text).toBe("original")
  })

  it("fails the exchange when it is destroyed, and ignores later writes", async () => {
    const error = new Error("broken")
    const events: Array<string> = []
    const reply = server.dispatch({}, (request, response) => {
      request.on("aborted", () => events.push("aborted"))
      response.on("close", () => events.push(`close ${response.destroyed}`))
      response.on("finish", () => events.push("finish"))
      response.write("half")
      response.destroy(error)
      response.end("rest")
    })
    await expect(reply).rejects.toMatchObject({ reason: "destroyed", error })
    await tick()
    expect(events).toEqual(["aborted", "close true"])
    await expect(server.dispatch({}, (request) => request.socket.end())).rejects.toMatchObject({ reason: "destroyed" })
    await expect(server.dispatch({}, (request) => request.socket.destroy())).rejects.toMatchObject({
      reason: "destroyed",
    })
  })

  it("works when middleware wraps writeHead", async () => {
    const reply = await server.dispatch({}, (_request, response) => {
      const writeHead = response.writeHead
      response.writeHead = function (this: ServerResponse, ...given: Array<never>): ServerResponse {
        this.setHeader("x-wrapped", "1")
        return writeHead.apply(this, given as never)
      } as never
      response.end("x")
    })
    expect(reply.headers["x-wrapped"]).toBe("1")
  })
})
