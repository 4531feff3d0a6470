import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Server } from "node:net"
import { setTimeout as delay } from "node:timers/promises"

import { afterAll, beforeAll, expect, it } from "vitest"

import { startProxy } from "../src/startProxy.ts"

let server: Server
let heard = ""
const url = () => `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`

beforeAll(async () => {
  // Answers every byte with itself.
  server = createServer((socket) => {
    socket.on("error", () => undefined)
    socket.on("data", (data) => {
      heard += data.toString()
      socket.write(data)
    })
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
})
afterAll(() => server.close())

const open = async (through: string) => {
  const socket = connect(Number(new URL(through).port), "127.0.0.1")
  let got = ""
  socket.on("data", (data) => (got += data.toString()))
  socket.on("error", () => undefined)
  const closed = once(socket, "close")
  await once(socket, "connect")
  return { socket, closed, got: () => got }
}

it("counts round trips independently of how a client splits its requests", async () => {
  await using proxy = await startProxy(url(), { quietMs: 150 })
  const { socket, got } = await open(proxy.url)
  for (const sentence of ["abc", "def"]) {
    for (const letter of sentence) {
      socket.write(letter)
      await delay(2)
    }
    await expect.poll(got).toMatch(sentence)
  }
  expect(proxy.roundTrips()).toBe(2)
})

it("delays every request and keeps their order", async () => {
  await using proxy = await startProxy(url(), { delayMs: 50 })
  const { socket, got } = await open(proxy.url)
  const startedAt = performance.now()
  for (const letter of "abc") {
    socket.write(letter)
    await delay(1)
  }
  await expect.poll(got).toBe("abc")
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(45)
})

it("loses a request or its reply with the connection", async () => {
  await using proxy = await startProxy(url())
  for (const [what, expected] of [
    ["request", ""],
    ["reply", "x"],
  ] as const) {
    const { socket, closed, got } = await open(proxy.url)
    heard = ""
    const cut = proxy.cutNext(what)
    socket.write("x")
    await cut
    await closed
    expect({ heard, got: got() }).toEqual({ heard: expected, got: "" })
  }
})

it("breaks every connection when it is closed, and accepts others when it is open again", async () => {
  await using proxy = await startProxy(url())
  const { closed } = await open(proxy.url)
  proxy.shut()
  await closed
  await (
    await open(proxy.url)
  ).closed
  proxy.open()
  const { socket, got } = await open(proxy.url)
  socket.write("x")
  await expect.poll(got).toBe("x")
})
