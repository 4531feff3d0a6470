import { AsyncLocalStorage, executionAsyncId } from "node:async_hooks"
import { IncomingMessage, ServerResponse } from "node:http"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type ExchangeFailure, type ExchangeReply, isSubRequest, makeExchange } from "../src/index.ts"
import { open, type Open, tick } from "./fixtures/open.ts"

let twin: Open
beforeAll(async () => {
  twin = await open((_request, response) => response.end("default"))
})
afterAll(() => twin.close())

describe("a dispatch", () => {
  it("gives the handler Node's own request and response, and the caller what was written", async () => {
    const reply = await twin.ask(
      { method: "PUT", url: "/a?b=c", headers: { "x-a": "1" }, body: "in" },
      (request, response) => {
        expect(request).toBeInstanceOf(IncomingMessage)
        expect(response).toBeInstanceOf(ServerResponse)
        expect([request.method, request.url, request.httpVersion, request.headers["x-a"]]).toEqual([
          "PUT",
          "/a?b=c",
          "1.1",
          "1",
        ])
        response.statusCode = 201
        response.setHeader("X-B", 2).setHeader("Set-Cookie", "c=1").end("out")
      },
    )
    expect(reply).toMatchObject({ _tag: "ExchangeReply", status: 201, statusMessage: "Created", text: "out" })
    expect({ ...reply.headers }).toEqual({ "x-b": "2", "set-cookie": ["c=1"], "content-length": "3" })
    expect(Buffer.from(reply.body).toString()).toBe("out")
  })

  it("calls done once and never before it returns", async () => {
    const results: Array<string> = []
    const exchange = makeExchange({ handle: (_request, response) => response.end("x").end() })
    const abort = exchange.dispatch({ method: "GET", url: "/", headers: {} }, twin.outer, (result) =>
      results.push(result._tag),
    )
    exchange.dispatch({ method: "GET", url: "/", headers: { "x-a": "\n" } }, twin.outer, (result) =>
      results.push(result._tag),
    )
    expect(results).toEqual([])
    await tick()
    abort()
    await tick()
    expect(results).toEqual(["ExchangeReply", "ExchangeFailure"])
  })

  it("marks what it makes, and nothing that a client sends can", async () => {
    const marks: Array<unknown> = []
    await twin.ask({}, (request, response) => {
      const mark = Symbol.for("@multistatus/node-exchange/sub-request")
      marks.push(isSubRequest(request), Object.prototype.propertyIsEnumerable.call(request, mark))
      response.end()
    })
    expect(marks).toEqual([true, false])
    expect(isSubRequest(twin.outer)).toBe(false)
    expect(isSubRequest({ headers: { "@multistatus/node-exchange/sub-request": "true" } })).toBe(false)
  })

  it("turns what a handler throws or rejects with into a failure", async () => {
    const error = new Error("bug")
    const throwing = twin.ask({}, () => {
      throw error
    })
    await expect(throwing).rejects.toMatchObject({
      _tag: "ExchangeFailure",
      reason: "threw",
      error,
      message: "The handler threw: bug",
    })
    await expect(twin.ask({}, async () => Promise.reject(error))).rejects.toMatchObject({ reason: "threw", error })
    await expect(
      twin.ask({
        body: () => {
          throw error
        },
      }),
    ).rejects.toMatchObject({ reason: "threw", error })
  })

  it("carries the caller's asynchronous context in, keeps the handler's own changes in and gives the caller's back", async () => {
    const storage = new AsyncLocalStorage<string>()
    const seen: Array<string | undefined> = []
    const exchange = makeExchange({
      handle: (_request, response) => {
        seen.push(storage.getStore())
        storage.enterWith("handler")
        setImmediate(() => {
          seen.push(storage.getStore())
          response.end()
        })
      },
    })
    await storage.run("caller", async () => {
      const { promise, resolve } = Promise.withResolvers<void>()
      exchange.dispatch({ method: "GET", url: "/", headers: {} }, twin.outer, () => {
        seen.push(storage.getStore())
        resolve()
      })
      seen.push(storage.getStore())
      await promise
    })
    expect(seen).toEqual(["caller", "caller", "handler", "caller"])
  })

  it("runs each handler in an asynchronous scope of its own", async () => {
    const ids = new Set<number>()
    const note = (_request: unknown, response: ServerResponse): void => {
      ids.add(executionAsyncId())
      response.end()
    }
    await Promise.all([twin.ask({}, note), twin.ask({}, note), twin.ask({}, note)])
    expect(ids.size).toBe(3)
  })

  it("bounds the size of a reply", async () => {
    let closed = false
    const endless = (_request: unknown, response: ServerResponse): void => {
      response.on("close", () => (closed = true))
      const write = (): void => {
        while (!response.destroyed && response.write("é".repeat(1_000)));
        if (!response.destroyed) response.once("drain", write)
      }
      write()
    }
    await expect(twin.ask({}, endless, { maxResponseBytes: 500_000 })).rejects.toMatchObject({ reason: "too-large" })
    await tick()
    expect(closed).toBe(true)
    const fits = await twin.ask({}, (_request, response) => response.end("é"), { maxResponseBytes: 2 })
    expect(fits.text).toBe("é")
  })

  it("survives an application that goes on after its answer", async () => {
    const reply = await twin.ask({}, (_request, response) => {
      response.on("error", () => {})
      response.end("answer")
      response.write("more")
      setImmediate(() => {
        response.write("still more")
        response.destroy()
      })
    })
    await tick()
    expect(reply.text).toBe("answer")
  })
})

describe("an abort", () => {
  const aborting = async (body: string | undefined, read: boolean) => {
    const events: Array<string> = []
    const results: Array<ExchangeReply | ExchangeFailure> = []
    const exchange = makeExchange({
      handle: (request, response) => {
        if (read) request.resume()
        request.on("aborted", () => events.push("request aborted"))
        request.on("error", (error: NodeJS.ErrnoException) => events.push(`request ${error.code}`))
        request.on("close", () => events.push("request close"))
        response.on("finish", () => events.push("response finish"))
        response.on("close", () => events.push(`response close ${response.destroyed} ${response.writableFinished}`))
        request.socket.on("close", () => events.push("socket close"))
      },
    })
    const abort = exchange.dispatch({ method: "POST", url: "/", headers: {}, body }, twin.outer, (result) =>
      results.push(result),
    )
    await tick()
    events.length = 0
    abort()
    abort()
    await tick()
    return { events, results }
  }

  it("is what a client's disconnect is", async () => {
    const { events, results } = await aborting("unread", false)
    expect(events.sort()).toEqual([
      "request ECONNRESET",
      "request aborted",
      "request close",
      "response close true false",
      "socket close",
    ])
    expect(results).toMatchObject([{ _tag: "ExchangeFailure", reason: "aborted" }])
  })

  it("leaves a request alone that has been read", async () => {
    const { events, results } = await aborting("read", true)
    expect(events).toEqual(["response close true false", "socket close"])
    expect(results).toHaveLength(1)
  })

  it("fires the request's signal, which an answer does not", async () => {
    const signals: Array<AbortSignal> = []
    const exchange = makeExchange({
      handle: (request, response) => {
        const { signal } = request as IncomingMessage & { readonly signal?: AbortSignal }
        if (signal !== undefined) signals.push(signal)
        if (request.url === "/answers") response.end()
      },
    })
    const dispatch = (url: string) => exchange.dispatch({ method: "GET", url, headers: {} }, twin.outer, () => {})
    dispatch("/answers")
    const abort = dispatch("/hangs")
    await tick()
    abort()
    await tick()
    expect(signals.map(({ aborted }) => aborted)).toEqual(signals.length === 0 ? [] : [false, true])
  })

  it("ends a response that waits for room, and reaches nothing of the outer request", async () => {
    const exchange = makeExchange({
      handle: (request) => {
        request.socket.on("close", () => {})
        request.socket.on("data", () => {})
      },
    })
    const counts = () =>
      [...twin.outer.eventNames(), ...twin.outer.socket.eventNames()].map((name) =>
        twin.outer.socket.listenerCount(name),
      )
    const before = counts()
    const aborts = Array.from({ length: 20 }, () =>
      exchange.dispatch({ method: "GET", url: "/", headers: {} }, twin.outer, () => {}),
    )
    expect(counts()).toEqual(before)
    for (const abort of aborts) abort()
    await tick()
    expect(counts()).toEqual(before)
    expect(twin.outer.destroyed || twin.outer.socket.destroyed).toBe(false)
  })
})
