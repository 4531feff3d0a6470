import { spawn } from "node:child_process"
import { once } from "node:events"
import { text } from "node:stream/consumers"
import { request as httpRequest } from "node:http"
import { setTimeout as delay } from "node:timers/promises"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { memoryOf, resetPeak } from "./Memory.ts"
import { frameworks, type ServerProcess, startServer } from "./ServerProcess.ts"
import { Wire } from "./Wire.ts"

const mebibyte = 2 ** 20
const whole = 200 * mebibyte
const path = "/api/v1/users/bulk-create"
const filler = Buffer.alloc(64 * 1024, "x")
const items = Buffer.from('{"a":1000},'.repeat(6000))

/** A body that is far too large, sent as fast as the server takes it. */
type Attack = (port: number) => Promise<unknown>

const attack =
  (code: string, form: "plain" | "chunked", first: string, piece: Uint8Array, bytes = whole): Attack =>
  async (port) => {
    const wire = await Wire.open(port)
    if (form === "plain") wire.head(path, { "content-length": bytes }).send(first)
    else wire.head(path, { "transfer-encoding": "chunked" }).chunk(first)
    const flood = wire.flood(piece, bytes - first.length - piece.length, form)
    const { status, headers, body } = await wire.answer()
    expect({ status, connection: headers["connection"], body: JSON.parse(body) as unknown }).toMatchObject({
      status: 413,
      connection: "close",
      body: { code },
    })
    await flood
    await wire.ended
  }

const declared = attack("PAYLOAD_TOO_LARGE", "plain", '{"users":["', filler)
const giantString = attack("PAYLOAD_TOO_LARGE", "chunked", '{"users":["', filler)
const millionItems = attack("TOO_MANY_OPERATIONS", "plain", '{"users":[', items, 11 * mebibyte)
const endlessItems = attack("TOO_MANY_OPERATIONS", "chunked", '{"users":[', items)

describe.each(frameworks)("the memory of a server that is sent too much (%s)", (framework) => {
  let usual: ServerProcess
  let generous: ServerProcess

  beforeAll(async () => {
    usual = await startServer(framework)
    generous = await startServer(framework, { MAX_BODY_BYTES: String(64 * mebibyte) })
    const users = Array.from({ length: 1000 }, (_, index) => ({ name: `n${index}`, more: "x".repeat(200) }))
    const body = JSON.stringify({ users })
    for (const { origin } of [usual, generous]) {
      for (let round = 0; round < 10; round++) {
        await (
          await fetch(origin + path, { method: "POST", headers: { "content-type": "application/json" }, body })
        ).text()
      }
    }
    await Promise.all([
      declared(usual.port),
      giantString(usual.port),
      millionItems(generous.port),
      endlessItems(generous.port),
    ])
  })
  afterAll(async () => {
    await Promise.all([usual.stop(), generous.stop()])
  })

  /** How far the peak was above the start, in MiB, after so many clients came so many times. */
  const growth = async ({ pid, port }: ServerProcess, run: Attack, clients: number, rounds: number) => {
    resetPeak(pid)
    const { now: idle } = memoryOf(pid)
    for (let round = 0; round < rounds; round++) await Promise.all(Array.from({ length: clients }, () => run(port)))
    return memoryOf(pid).peak - idle
  }

  it.each([1, 8])("grows by less than 4 MiB for each of %i clients that declare 200 MB", async (clients) => {
    expect(await growth(usual, declared, clients, 2)).toBeLessThan(4 * clients)
  })

  it.each([1, 8])("grows by less than 4 MiB for each of %i clients that send too many items", async (clients) => {
    expect(await growth(generous, millionItems, clients, 1)).toBeLessThan(4 * clients)
    expect(await growth(generous, endlessItems, clients, 1)).toBeLessThan(4 * clients)
  })

  it.each([1, 8])(
    "grows by less than the limit and 4 MiB for each of %i clients that send one string",
    async (clients) => {
      expect(await growth(usual, giantString, clients, 1)).toBeLessThan((10 + 4) * clients)
    },
  )
})

describe.each(frameworks)("the refusal of a body that is too large (%s)", (framework) => {
  let server: ServerProcess
  beforeAll(async () => {
    server = await startServer(framework)
  })
  afterAll(() => server.stop())

  const bodies = [11 * mebibyte, 60 * mebibyte]

  it("reaches Node's own client, whether or not it declares the length", async () => {
    for (const bytes of bodies) {
      for (const headers of [{ "content-length": bytes }, { "transfer-encoding": "chunked" }]) {
        const sending = httpRequest(server.origin + path, {
          method: "POST",
          headers: { "content-type": "application/json", ...headers },
        })
        sending.on("error", () => undefined)
        sending.write('{"users":["')
        for (let sent = 0; sent < bytes; sent += filler.length) sending.write(filler)
        const [response] = await once(sending, "response")
        expect(response.statusCode).toBe(413)
        expect(JSON.parse(await text(response))).toMatchObject({ code: "PAYLOAD_TOO_LARGE", limit: 10 * mebibyte })
        sending.destroy()
      }
    }
  })

  it("reaches fetch", async () => {
    const body = `{"users":["${"x".repeat(11 * mebibyte)}"]}`
    const response = await fetch(server.origin + path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    })
    expect({ status: response.status, body: await response.json() }).toMatchObject({
      status: 413,
      body: { code: "PAYLOAD_TOO_LARGE" },
    })
  })

  it("reaches curl, also with Expect: 100-continue", async () => {
    const url = server.origin + path
    const json = ["-H", "Content-Type: application/json"]
    for (const more of [[], ["-H", "Expect:"], ["-H", "Transfer-Encoding: chunked"], ["-H", "Expect: 100-continue"]]) {
      const curl = spawn("curl", ["-sS", url, ...json, ...more, "--data-binary", "@-", "-w", "\n%{http_code}"])
      curl.stdin.on("error", () => undefined)
      curl.stdin.end(Buffer.alloc(30 * mebibyte, "x"))
      const [[code], stdout] = await Promise.all([once(curl, "exit"), text(curl.stdout)])
      expect(code).toBe(0)
      const [problem, status] = stdout.split("\n")
      expect({ status, body: JSON.parse(problem!) }).toMatchObject({
        status: "413",
        body: { code: "PAYLOAD_TOO_LARGE" },
      })
    }
  })

  it("reaches a client that sends everything before it reads", async () => {
    const wire = await Wire.open(server.port)
    wire.head(path, { "content-length": 11 * mebibyte }).send('{"users":["', Buffer.alloc(mebibyte, "x"))
    wire.socket.pause()
    await delay(300)
    wire.socket.resume()
    expect(await wire.answer()).toMatchObject({ status: 413 })
    await wire.ended
  })
})
