import { AsyncLocalStorage, executionAsyncId } from "node:async_hooks"
import { IncomingMessage, ServerResponse } from "node:http"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type ExchangeFailure, type ExchangeReply, isSubRequest, makeExchange } from "../src/index.ts"
import { startTestServer, type TestServer, tick } from "./fixtures/TestServer.ts"

let server: TestServer
beforeAll(async () => {
  server = await startTestServer((_request, response) => response.end("default"))
})
afterAll(() => server.close())

describe("a dispatch", () => {
  it("passes Node's request and response to the handler and the reply to the caller", async () => {
    const reply = await server.dispatch(
      { method: "PUT", url: "/a?b=c", headers: { "x-a": "1" }, body: "in" },
      (request, response) => {
        expect(request).toBeInstanceOf(IncomingMessage)
        expect(response).toBeInstanceOf(ServerResponse)
        expect(request).toMatchObject({ method: "PUT", url: "/a?b=c", httpVersion: "1.1", headers: { "x-a": "1" } })
        response.statusCode = 201
        response.setHeader("X-B", 2).setHeader("Set-Cookie", "c=1").end("out")
      },
    )
    expect(reply).toMatchObject({ _tag: "ExchangeReply", status: 201, statusMessage: "Created", text: "out" })
    expect({ ...reply.headers }).toEqual({ "x-b": "2", "set-cookie": ["c=1"], "content-length": "3" })
    expect(Buffer.from(reply.body).toString()).toBe("out")
  })

  it("calls done exactly once, after dispatch has returned", async () => {
    const results: Array<string> = []
    const exchange = makeExchange({ handle: (_request, response) => response.end("x").end() })
    const abort = exchange.dispatch({ method: "GET", url: "/", headers: {} }, server.outer, (result) =>
      results.push(result._tag),
    )
    exchange.dispatch({ method: "GET", url: "/", headers: { "x-a": "\n" } }, server.outer, (result) =>
      results.push(result._tag),
    )
    expect(results).toEqual([])
    await tick()
    abort()
    await tick()
    expect(results).toEqual(["ExchangeReply", "ExchangeFailure"])
  })

  it("marks its requests, and a client cannot set the mark", async () => {
    const seen: Array<object> = []
    await server.dispatch({}, (request, response) => {
      const mark = Symbol.for("@multistatus/node-exchange/sub-request")
      const isEnumerable = Object.prototype.propertyIsEnumerable.call(request, mark)
      seen.push({ isMarked: isSubRequest(request), isEnumerable })
      response.end()
    })
    expect(seen).toEqual([{ isMarked: true, isEnumerable: false }])
    expect(isSubRequest(server.outer)).toBe(false)
    expect(isSubRequest({ headers: { "@multistatus/node-exchange/sub-request": "true" } })).toBe(false)
  })

  it("fails when the handler throws or its promise is rejected", async () => {
    const error = new Error("bug")
    const throwing = server.dispatch({}, () => {
      throw error
    })
    await expect(throwing).rejects.toMatchObject({
      _tag: "ExchangeFailure",
      reason: "threw",
      error,
      message: "The handler threw: bug",
    })
    await expect(server.dispatch({}, async () => Promise.reject(error))).rejects.toMatchObject({
      reason: "threw",
      error,
    })
    await expect(
      server.dispatch({
        body: () => {
          throw error
        },
      }),
    ).rejects.toMatchObject({ reason: "threw", error })
  })

  it("runs the handler in the caller's asynchronous context and calls done without the handler's changes", async () => {
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
      exchange.dispatch({ method: "GET", url: "/", headers: {} }, server.outer, () => {
        seen.push(storage.getStore())
        resolve()
      })
      seen.push(storage.getStore())
      await promise
    })
    expect(seen).toEqual(["caller", "caller", "handler", "caller"])
  })

  it("runs each handler in its own asynchronous scope", async () => {
    const ids = new Set<number>()
    const collectId = (_request: unknown, response: ServerResponse): void => {
      ids.add(executionAsyncId())
      response.end()
    }
    await Promise.all([server.dispatch({}, collectId), server.dispatch({}, collectId), server.dispatch({}, collectId)])
    expect(ids.size).toBe(3)
  })

  it("drops a reply once its bytes are not to be kept, and lets the handler finish", async () => {
    const asked: Array<number> = []
    const keep = (bytes: number) => asked.push(bytes) < 3
    const written: Array<string> = []
    const reply = await server.dispatch({ keep }, async (_request, response) => {
      for (const chunk of ["é", Buffer.alloc(10), "a", "b", "c"]) {
        await new Promise<void>((resolve) => response.write(chunk, () => resolve()))
        written.push(String(chunk.length))
      }
      response.end()
    })
    expect(reply).toMatchObject({ status: 200, truncated: true, text: "" })
    expect(reply.body.length).toBe(0)
    expect(asked).toEqual([2, 10, 1])
    expect(written).toHaveLength(5)
    expect(await server.dispatch({}, (_request, response) => response.end("x"))).toMatchObject({ truncated: false })
  })

  it("fails when a reply exceeds maxResponseBytes", async () => {
    let closed = false
    const endless = (_request: unknown, response: ServerResponse): void => {
      response.on("close", () => (closed = true))
      const write = (): void => {
        while (!response.destroyed && response.write("é".repeat(1_000)));
        if (!response.destroyed) response.once("drain", write)
      }
      write()
    }
    await expect(server.dispatch({}, endless, { maxResponseBytes: 500_000 })).rejects.toMatchObject({
      reason: "too-large",
    })
    await tick()
    expect(closed).toBe(true)
    const fits = await server.dispatch({}, (_request, response) => response.end("é"), { maxResponseBytes: 2 })
    expect(fits.text).toBe("é")
  })

  it("ignores writes after the reply", async () => {
    const reply = await server.dispatch({}, (_request, response) => {
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
  const abortedExchange = async (body: string | undefined, read: boolean) => {
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
    const abort = exchange.dispatch({ method: "POST", url: "/", headers: {}, body }, server.outer, (result) =>
      results.push(result),
    )
    await tick()
    events.length = 0
    abort()
    abort()
    await tick()
    return { events, results }
  }

  it("emits the same events as a client disconnect", async () => {
    const { events, results } = await abortedExchange("unread", false)
    expect(events.sort()).toEqual([
      "request ECONNRESET",
      "request aborted",
      "request close",
      "response close true false",
      "socket close",
    ])
    expect(results).toMatchObject([{ _tag: "ExchangeFailure", reason: "aborted" }])
  })

  it("does not destroy a request whose body was read", async () => {
    const { events, results } = await abortedExchange("read", true)
    expect(events).toEqual(["response close true false", "socket close"])
    expect(results).toHaveLength(1)
  })

  it("aborts the request's signal, while a reply does not", async () => {
    const signals: Array<AbortSignal> = []
    const exchange = makeExchange({
      handle: (request, response) => {
        const { signal } = request as IncomingMessage & { readonly signal?: AbortSignal }
        if (signal !== undefined) signals.push(signal)
        if (request.url === "/answers") response.end()
      },
    })
    const dispatch = (url: string) => exchange.dispatch({ method: "GET", url, headers: {} }, server.outer, () => {})
    dispatch("/answers")
    const abort = dispatch("/hangs")
    await tick()
    abort()
    await tick()
    expect(signals.map(({ aborted }) => aborted)).toEqual(signals.length === 0 ? [] : [false, true])
  })

  it("adds no listeners to the outer request and does not destroy it", async () => {
    const exchange = makeExchange({
      handle: (request) => {
        request.socket.on("close", () => {})
        request.socket.on("data", () => {})
      },
    })
    const counts = () =>
      [...server.outer.eventNames(), ...server.outer.socket.eventNames()].map((name) =>
        server.outer.socket.listenerCount(name),
      )
    const before = counts()
    const aborts = Array.from({ length: 20 }, () =>
      exchange.dispatch({ method: "GET", url: "/", headers: {} }, server.outer, () => {}),
    )
    expect(counts()).toEqual(before)
    for (const abort of aborts) abort()
    await tick()
    expect(counts()).toEqual(before)
    expect(server.outer.destroyed || server.outer.socket.destroyed).toBe(false)
  })
})
