/** A TCP connection with somebody in the middle: counts round trips, takes its time, loses what is said. */
import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"

/** How a proxy passes things on. */
export interface ProxyOptions {
  /** Milliseconds that each request takes longer. Default 0. */
  readonly delayMs?: number | undefined
  /**
   * Milliseconds that a client must have been silent for before it gets an answer. What it sent until then it sent without
   * waiting for one, so that round trips are counted exactly. Default 0: answers are passed on at once.
   */
  readonly quietMs?: number | undefined
}

/** A proxy in front of a server on 127.0.0.1. */
export interface Proxy extends AsyncDisposable {
  /** The server's URL, through the proxy. */
  readonly url: string
  /** How often clients waited for an answer so far. */
  readonly roundTrips: () => number
  /**
   * Breaks the connection at the next request: before it is passed on (`request`), or when it was answered, and the answer
   * is lost (`reply`). Resolves when that has happened.
   */
  readonly cutNext: (what: "request" | "reply") => Promise<void>
  /** Breaks every connection, and refuses others until `open`. */
  readonly shut: () => void
  readonly open: () => void
}

/** Starts a proxy in front of the server that a URL names. */
export const startProxy = async (target: string, { delayMs = 0, quietMs = 0 }: ProxyOptions = {}): Promise<Proxy> => {
  const { port } = new URL(target)
  const clients = new Set<Socket>()
  let roundTrips = 0
  let isShut = false
  let cut: { readonly what: "request" | "reply"; readonly happened: () => void } | undefined

  const server = createServer({ noDelay: true }, (client) => {
    client.on("error", () => undefined)
    if (isShut) return void client.destroy()
    const upstream = connect({ port: Number(port), host: "127.0.0.1", noDelay: true })
    upstream.on("error", () => client.destroy())
    upstream.on("close", () => client.destroy())
    clients.add(client)
    client.on("close", () => {
      clearTimeout(quiet)
      clients.delete(client)
      upstream.destroy()
    })
    const held: Array<Buffer> = []
    let isAsking = false
    let losing: (() => void) | undefined
    let quiet: NodeJS.Timeout | undefined
    const answer = () => {
      if (held.length === 0) return
      if (losing !== undefined) {
        client.destroy()
        return losing()
      }
      if (isAsking) roundTrips++
      isAsking = false
      client.write(Buffer.concat(held.splice(0)))
    }
    const answerSoon = () => {
      if (quietMs === 0) return answer()
      clearTimeout(quiet)
      quiet = setTimeout(answer, quietMs)
    }
    client.on("data", (data) => {
      isAsking = true
      const now = cut
      cut = undefined
      if (now?.what === "request") {
        client.destroy()
        return now.happened()
      }
      losing ??= now?.happened
      if (quietMs > 0) answerSoon()
      if (delayMs === 0) upstream.write(data)
      else setTimeout(() => upstream.write(data), delayMs)
    })
    upstream.on("data", (data) => {
      held.push(data)
      answerSoon()
    })
  }).listen(0, "127.0.0.1")
  await once(server, "listening")

  const breakAll = () => {
    for (const client of clients) client.destroy()
  }
  return {
    url: Object.assign(new URL(target), { port: String((server.address() as AddressInfo).port) }).toString(),
    roundTrips: () => roundTrips,
    cutNext: (what) => new Promise((resolve) => (cut = { what, happened: resolve })),
    shut: () => {
      isShut = true
      breakAll()
    },
    open: () => (isShut = false),
    [Symbol.asyncDispose]: async () => {
      breakAll()
      server.close()
      await once(server, "close")
    },
  }
}
