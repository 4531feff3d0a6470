import type { IncomingMessage } from "node:http"
import { pipeline } from "node:stream/promises"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { ExchangeRequest } from "../src/index.ts"
import { startTestServer, type TestServer, tick } from "./fixtures/TestServer.ts"

let server: TestServer
beforeAll(async () => {
  server = await startTestServer((_request, response) => response.end())
})
afterAll(() => server.close())

/** Dispatches a request and returns what `read` returns for the request of the handler. */
const readInHandler = async <A>(
  request: Partial<ExchangeRequest>,
  read: (request: IncomingMessage) => A | Promise<A>,
): Promise<A> => {
  const seen = Promise.withResolvers<A>()
  await server.dispatch(request, async (incoming, response) => {
    try {
      seen.resolve(await read(incoming))
    } catch (error) {
      seen.reject(error)
    }
    response.end()
  })
  return seen.promise
}

describe("the head of a sub-request", () => {
  it("has merged, distinct and raw headers, with the outer host and the length of the body", async () => {
    const headers = {
      "x-a": "1",
      "x-list": ["a", "b"],
      cookie: ["c=1", "d=2"],
      authorization: ["one", "two"],
      host: "other.test",
      "content-length": "99",
    }
    const host = `127.0.0.1:${server.port}`
    await readInHandler({ method: "POST", headers, body: "é" }, (request) => {
      expect(request.headers).toEqual({
        host,
        "x-a": "1",
        "x-list": "a, b",
        cookie: "c=1; d=2",
        authorization: "one",
        "content-length": "2",
      })
      expect({ ...request.headersDistinct }).toEqual({
        host: [host],
        "x-a": ["1"],
        "x-list": ["a", "b"],
        cookie: ["c=1; d=2"],
        authorization: ["one", "two"],
        "content-length": ["2"],
      })
      expect(request.rawHeaders).toHaveLength(16)
    })
    await readInHandler({ headers: { "x-a": "1" } }, (request) => {
      expect(request.headers).toEqual({ host, "x-a": "1" })
      expect(request.rawHeaders).toEqual(["host", host, "x-a", "1"])
      expect(request.headersDistinct).toMatchObject({ "x-a": ["1"] })
    })
  })

  it("is a copy, so one sub-request cannot change the headers of another", async () => {
    const headers = Object.freeze({ "x-a": "1" })
    await readInHandler({ headers }, (request) => {
      request.headers["x-a"] = "changed"
      request.headers["x-b"] = "added"
    })
    expect(headers).toEqual({ "x-a": "1" })
  })

  it.each([
    ["a line break", { "x-a": "1\r\nx-b: 2" }],
    ["a line feed in one of several values", { "x-a": ["1", "2\n"] }],
    ["a null character", { "x-a": "\0" }],
    ["a character beyond one byte", { "x-a": "€" }],
    ["a name with a colon", { "x:a": "1" }],
    ["an empty name", { "": "1" }],
    ["a name with a line break", { "x\r\na": "1" }],
  ])("is rejected with %s", async (_, headers) => {
    let reached = false
    await expect(server.dispatch({ headers }, () => (reached = true))).rejects.toMatchObject({ reason: "invalid" })
    expect(reached).toBe(false)
  })
})

describe("the body of a sub-request", () => {
  const body = "a body with ünïcode"

  it("can be read by events, by iteration, through a pipe and after a delay", async () => {
    const byEvents = (request: IncomingMessage): Promise<string> =>
      new Promise((resolve) => {
        let text = ""
        request.setEncoding("utf8")
        request.on("data", (chunk: string) => (text += chunk))
        request.on("end", () => resolve(text))
      })
    expect(await readInHandler({ method: "POST", body }, byEvents)).toBe(body)
    expect(await readInHandler({ method: "POST", body: Buffer.from(body) }, byEvents)).toBe(body)
    expect(await readInHandler({ method: "POST", body: () => body }, byEvents)).toBe(body)
    expect(await readInHandler({ method: "POST", body }, async (request) => (await tick(), byEvents(request)))).toBe(
      body,
    )
    const iterated = async (request: IncomingMessage): Promise<string> =>
      Buffer.concat(await request.toArray()).toString()
    expect(await readInHandler({ method: "POST", body }, iterated)).toBe(body)
    const chunks: Array<Buffer> = []
    await readInHandler({ method: "POST", body }, (request) =>
      pipeline(request, async (source: AsyncIterable<Buffer>) => {
        for await (const chunk of source) chunks.push(chunk)
      }),
    )
    expect(Buffer.concat(chunks).toString()).toBe(body)
  })

  it("ends immediately if there is none", async () => {
    const states = await readInHandler({ method: "GET" }, async (request) => {
      const before = [request.complete, request.readableEnded]
      for await (const _ of request) expect.unreachable()
      return [...before, request.complete, request.readableEnded, request.headers["content-length"]]
    })
    expect(states).toEqual([false, false, true, true, undefined])
    expect(await readInHandler({ method: "POST" }, (request) => request.headers["content-length"])).toBe("0")
    expect(await readInHandler({ method: "POST", body: "" }, (request) => request.headers["content-length"])).toBe("0")
  })

  it("is discarded after the response if it was not read, and listeners still get end and close", async () => {
    const kept: Array<IncomingMessage> = []
    const events: Array<string> = []
    await server.dispatch({ method: "POST", body }, (request, response) => {
      kept.push(request)
      response.end()
    })
    await server.dispatch({ method: "POST", body }, (request, response) => {
      request.on("end", () => events.push("end"))
      request.on("close", () => events.push("close"))
      response.end()
    })
    await tick()
    expect(events).toEqual(["end", "close"])
    expect(
      kept.map(({ complete, destroyed, readableEnded, readable }) => [complete, destroyed, readableEnded, readable]),
    ).toEqual([[true, true, true, false]])
  })

  it("is not delivered after the request is destroyed, which ends the sub-request", async () => {
    const error = new Error("enough")
    const events: Array<string> = []
    const asked = server.dispatch({ method: "POST", body }, (request, response) => {
      request.on("data", () => events.push("data"))
      request.on("aborted", () => events.push("aborted"))
      response.on("close", () => events.push("response close"))
      request.destroy(error)
    })
    await expect(asked).rejects.toMatchObject({ reason: "destroyed", error })
    expect(events).toEqual(["aborted", "response close"])
  })
})
