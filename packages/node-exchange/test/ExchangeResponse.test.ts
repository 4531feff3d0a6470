import type { RequestListener, ServerResponse } from "node:http"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { makeExchange } from "../src/index.ts"
import { comparable } from "../src/testing/index.ts"
import { open, type Open, tick } from "./fixtures/open.ts"

const codeOf = (act: () => unknown): string => {
  try {
    act()
    return "fine"
  } catch (error) {
    return String((error as { readonly code?: string }).code)
  }
}

const answers: Readonly<Record<string, (response: ServerResponse) => unknown>> = {
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
    // Node itself throws on trailers of what has no body.
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
      noted.push(events)
    })
    response.end(() => events.push("callback"))
    events.push(`ended ${states()}`)
  },
}
const noted: Array<ReadonlyArray<string>> = []

const handle: RequestListener = (request, response) => {
  const answer = answers[decodeURIComponent(request.url ?? "").slice(1)]
  answer?.(response)
}

describe("a response", () => {
  let twin: Open
  beforeAll(async () => {
    twin = await open(handle)
  })
  afterAll(() => twin.close())

  it.each(Object.keys(answers).flatMap((name) => ["GET", "HEAD"].map((method) => ({ name, method }))))(
    "with $name is received by $method as over a socket",
    async ({ name, method }) => {
      const request = { method, url: `/${encodeURIComponent(name)}`, headers: {} }
      const real = await twin.overSocket(request)
      await tick()
      const ours = await twin.throughExchange(makeExchange({ handle }), request)
      await tick()
      expect(comparable(ours, real)).toEqual(comparable(real, ours))
      const [first, second] = noted.splice(0)
      expect(second).toEqual(first)
    },
  )

  it("slows down whoever writes too fast, and lets the event loop turn in between", async () => {
    let turns = 0
    let refused = 0
    const turn = setInterval(() => turns++, 0)
    const reply = await twin.ask({}, (_request, response) => {
      let left = 1_000
      const write = (): void => {
        while (left-- > 0) {
          if (response.write("x".repeat(10_000))) continue
          refused++
          expect(response.writableNeedDrain).toBe(true)
          response.once("drain", write)
          return
        }
        response.end()
      }
      write()
    })
    clearInterval(turn)
    expect(reply.body.length).toBe(10_000_000)
    expect(refused).toBeGreaterThan(100)
    expect(turns).toBeGreaterThan(2)
  })

  it("takes streams, and calls writers back", async () => {
    const piped = await twin.ask({}, (_request, response) => Readable.from(["a", "b"]).pipe(response))
    expect(piped.text).toBe("ab")
    const source = Readable.from(Array.from({ length: 50 }, () => "y".repeat(9_000)))
    const lined = await twin.ask({}, async (_request, response) => pipeline(source, response))
    expect(lined.body.length).toBe(450_000)
    const called: Array<string> = []
    await twin.ask({}, (_request, response) => {
      response.write("a", () => called.push("write"))
      response.end("b", () => called.push("end"))
    })
    expect(called).toEqual(["write", "end"])
  })

  it("keeps its own copy of bytes", async () => {
    const reply = await twin.ask({}, (_request, response) => {
      const buffer = Buffer.from("mine")
      response.write(buffer, () => buffer.fill(0))
      setImmediate(() => response.end())
    })
    expect(reply.text).toBe("mine")
  })

  it("that is destroyed is a failure, and later writes go nowhere", async () => {
    const error = new Error("broken")
    const events: Array<string> = []
    const asked = twin.ask({}, (request, response) => {
      request.on("aborted", () => events.push("aborted"))
      response.on("close", () => events.push(`close ${response.destroyed}`))
      response.on("finish", () => events.push("finish"))
      response.write("half")
      response.destroy(error)
      response.end("rest")
    })
    await expect(asked).rejects.toMatchObject({ reason: "destroyed", error })
    await tick()
    expect(events).toEqual(["aborted", "close true"])
    await expect(twin.ask({}, (request) => request.socket.end())).rejects.toMatchObject({ reason: "destroyed" })
    await expect(twin.ask({}, (request) => request.socket.destroy())).rejects.toMatchObject({ reason: "destroyed" })
  })

  it("works with heads that middleware wraps", async () => {
    const reply = await twin.ask({}, (_request, response) => {
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
