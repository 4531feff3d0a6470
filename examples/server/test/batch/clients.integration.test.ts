import { readdirSync, readlinkSync } from "node:fs"
import { setTimeout as delay } from "node:timers/promises"
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest"
import { Api } from "./Api.ts"
import { memoryOf } from "./Memory.ts"
import { frameworks, type ServerProcess, startServer } from "./ServerProcess.ts"
import { Wire, type WireAnswer } from "./Wire.ts"

const bulkCreate = "/api/v1/users/bulk-create"
const operationsPath = "/api/v1/users/batch"
const requestsPath = "/api/v1/batch"
const one = JSON.stringify({ users: [{ name: "one" }] })

/** The sockets that a process has open, its listening one included. */
const socketsOf = (pid: number): number =>
  readdirSync(`/proc/${pid}/fd`).filter((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith("socket:")
    } catch {
      return false
    }
  }).length

const code = ({ body }: WireAnswer) => (JSON.parse(body) as { readonly code?: string }).code

describe.each(frameworks)("a server on %s whose clients misbehave", (framework) => {
  let server: ServerProcess
  let api: Api
  let idle: number

  beforeAll(async () => {
    server = await startServer(framework, { CONCURRENCY: "1" })
    api = new Api(server.origin)
    await api.users()
    idle = socketsOf(server.pid)
  })
  beforeEach(() => api.reset())
  afterAll(async () => {
    api.close()
    await server.stop()
  })

  const open = () => Wire.open(server.port)
  const send = async (path: string, body: string) =>
    (await open()).head(path, { "content-length": Buffer.byteLength(body) }).send(body)

  /** Waits until the server holds no more sockets than at the start. */
  const holdsNothing = () =>
    vi.waitFor(() => expect(socketsOf(server.pid)).toBeLessThanOrEqual(idle), { timeout: 10_000 })

  it("answers other clients while bodies arrive slowly or stop half-way", async () => {
    const wires = await Promise.all(
      Array.from({ length: 60 }, async (_, index) => {
        const wire = await open()
        const path = [bulkCreate, operationsPath, requestsPath][index % 3]!
        if (index % 2 === 0) wire.head(path, { "content-length": 1000 }).send('{"users":[{"name":"never"}')
        else wire.head(path, { "transfer-encoding": "chunked" }).chunk('{"users":[{"name":"never"}')
        return wire
      }),
    )
    const slow = await open()
    slow.head(bulkCreate, { "content-length": one.length })
    for (const character of one) {
      slow.send(character)
      await delay(10)
    }
    expect(await slow.answer()).toMatchObject({ status: 201 })
    const begun = performance.now()
    expect(await api.names()).toEqual(["one"])
    expect(performance.now() - begun).toBeLessThan(500)
    expect(socketsOf(server.pid)).toBeGreaterThan(60)
    for (const [index, wire] of wires.entries()) {
      if (index % 4 < 2) wire.vanish()
      else wire.socket.end()
    }
    slow.vanish()
    await holdsNothing()
    expect(await api.names()).toEqual(["one"])
  })

  it("frees the memory of large bodies that were never finished", async () => {
    const before = memoryOf(server.pid).now
    const half = Buffer.alloc(2 ** 20, "x")
    for (let round = 0; round < 20; round++) {
      const wires = await Promise.all(Array.from({ length: 20 }, open))
      for (const wire of wires) wire.head(bulkCreate, { "content-length": 2 * half.length }).send('{"users":["', half)
      const isSent = (wire: Wire) => vi.waitFor(() => expect(wire.socket.writableLength).toBe(0), { timeout: 10_000 })
      await Promise.all(wires.map(isSent))
      for (const wire of wires) wire.vanish()
    }
    await holdsNothing()
    // 400 MiB were sent.
    expect(memoryOf(server.pid).now - before).toBeLessThan(150)
  })

  it("begins no more operations of a batch whose client disconnected, and closes its connection", async () => {
    const operations = [
      { action: "sleep", data: { ms: 500 } },
      { action: "create", data: { name: "never" } },
    ]
    const requests = [
      { id: "a", method: "GET", url: "/api/v1/slow?ms=500" },
      { id: "b", method: "POST", url: "/api/v1/users", body: { name: "never" } },
    ]
    const wires = [
      await send(operationsPath, JSON.stringify({ operations })),
      await send(operationsPath, JSON.stringify({ operations })),
      await send(requestsPath, JSON.stringify({ requests })),
      await send(requestsPath, JSON.stringify({ requests })),
    ]
    await delay(150)
    for (const [index, wire] of wires.entries()) {
      if (index % 2 === 0) wire.vanish()
      else wire.socket.end()
    }
    await delay(700)
    expect(await api.names()).toEqual([])
    await holdsNothing()
    const staying = await send(operationsPath, JSON.stringify({ operations }))
    expect(await staying.answer()).toMatchObject({ status: 200 })
    expect(await api.names()).toEqual(["never"])
    staying.vanish()
  })

  it("refuses bodies that are not as long as declared", async () => {
    const short = await open()
    short.head(bulkCreate, { "content-length": one.length - 2 }).send(one)
    // What is left over is the beginning of no request, which Node may answer first.
    expect(await short.answer()).toMatchObject({ status: 400 })
    await short.ended
    const long = await open()
    long.head(bulkCreate, { "content-length": one.length + 1 }).send(one)
    long.socket.end()
    await long.ended
    const smuggled = await open()
    smuggled.head(bulkCreate, { "content-length": 4, "transfer-encoding": "chunked" }).chunk(one)
    smuggled.send("0\r\n\r\n")
    expect(await smuggled.answer()).toMatchObject({ status: 400 })
    for (const length of ["-1", "1e3", "0x10", "abc", `${one.length}, ${one.length + 1}`]) {
      const wrong = await open()
      wrong.head(bulkCreate, { "content-length": length }).send(one)
      expect(await wrong.answer()).toMatchObject({ status: 400 })
      await wrong.ended
    }
    for (const chunk of ["zz\r\n", "5\r\nab", "ffffffffffffffffff\r\n"]) {
      const wrong = await open()
      wrong.head(bulkCreate, { "transfer-encoding": "chunked" }).send(chunk)
      wrong.socket.end()
      await wrong.ended
    }
    expect(await api.names()).toEqual([])
    await holdsNothing()
  })

  it("answers Expect: 100-continue", async () => {
    const wire = await open()
    const head = { "content-length": one.length, expect: "100-continue" }
    wire.head(bulkCreate, head)
    expect(await wire.answer()).toMatchObject({ status: 100 })
    expect(await wire.send(one).answer()).toMatchObject({ status: 201 })
    const large = await open()
    large.head(bulkCreate, { ...head, "content-length": 2 ** 30 })
    let answer = await large.answer()
    if (answer.status === 100) answer = await large.answer()
    expect({ status: answer.status, code: code(answer) }).toEqual({ status: 413, code: "PAYLOAD_TOO_LARGE" })
    await large.ended
    wire.vanish()
  })

  it("keeps a connection open after a refusal that read the whole body", async () => {
    const wire = await open()
    const ask = (body: string, path = bulkCreate) =>
      wire
        .head(path, { "content-length": Buffer.byteLength(body) })
        .send(body)
        .answer()
    const many = JSON.stringify({ users: Array.from({ length: 1001 }, () => 0) })
    const deep = `{"users":[${"[".repeat(70)}${"]".repeat(70)}]}`
    const refused = [
      ["", "MALFORMED_JSON"],
      ["{", "MALFORMED_JSON"],
      ["{}", "INVALID_BATCH"],
      ['{"users":[]}', "EMPTY_BATCH"],
      [many, "TOO_MANY_OPERATIONS"],
      [deep, "TOO_DEEP"],
      [`{"filler":"${"x".repeat(500_000)}"}`, "INVALID_BATCH"],
    ] as const
    for (const [body, expected] of refused) {
      expect(code(await ask(body))).toBe(expected)
      expect(await ask(one)).toMatchObject({ status: 201, headers: { connection: "keep-alive" } })
    }
    expect(await api.names()).toHaveLength(refused.length)
    wire.vanish()
  })

  it("answers pipelined requests in their order", async () => {
    const wire = await open()
    const sleep = JSON.stringify({ operations: [{ action: "sleep", data: { ms: 120 } }] })
    const batch = JSON.stringify({ requests: [{ id: "a", method: "GET", url: "/api/v1/echo" }] })
    wire.head(operationsPath, { "content-length": sleep.length }).send(sleep)
    wire.head(bulkCreate, { "content-length": 2 }).send("{}")
    wire.head(requestsPath, { "content-length": batch.length }).send(batch)
    wire.head(bulkCreate, { "transfer-encoding": "chunked" }).chunk(one)
    wire.send("0\r\n\r\nGET /health HTTP/1.1\r\nhost: a\r\n\r\n")
    const answers = [
      await wire.answer(),
      await wire.answer(),
      await wire.answer(),
      await wire.answer(),
      await wire.answer(),
    ]
    expect(answers.map(({ status }) => status)).toEqual([200, 400, 200, 201, 200])
    expect(answers[0]!.body).toContain('"succeeded":1')
    expect(answers[2]!.body).toContain('"id":"a"')
    expect(answers[3]!.body).toContain('"created":1')
    wire.vanish()
  })

  it("answers no request that was pipelined behind a body that it refused unread", async () => {
    const wire = await open()
    wire.head(bulkCreate, { "content-length": 11 * 2 ** 20 }).send(one)
    wire.head(bulkCreate, { "content-length": one.length }).send(one)
    expect(code(await wire.answer())).toBe("PAYLOAD_TOO_LARGE")
    await wire.ended
    await expect(wire.answer()).rejects.toThrow("The connection ended after: ")
    expect(await api.names()).toEqual([])
  })
})
