import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"

/** A connection in the middle, between clients and a server on 127.0.0.1. */
export interface Wire extends AsyncDisposable {
  readonly port: number
  /** How often clients waited for an answer so far. */
  readonly roundTrips: () => number
  /** Passes the next request on, and breaks the connection instead of passing its answer back. */
  readonly loseNextReply: () => void
}

/**
 * Answers are held back until a client has nothing more to say: what it sent until then it sent without waiting for one.
 */
const quietMs = 80

export const startWire = async (target: number): Promise<Wire> => {
  let roundTrips = 0
  let losing = false
  const sockets = new Set<Socket>()

  const server = createServer((client) => {
    const upstream = connect(target, "127.0.0.1")
    const held: Array<Buffer> = []
    let asked = false
    let quiet: NodeJS.Timeout | undefined
    const pass = () => {
      if (held.length === 0) return
      if (asked && losing) {
        losing = false
        client.destroy()
        return
      }
      if (asked) roundTrips++
      asked = false
      client.write(Buffer.concat(held.splice(0)))
    }
    const later = () => {
      clearTimeout(quiet)
      quiet = setTimeout(pass, quietMs)
    }
    client.on("data", (data) => {
      asked = true
      upstream.write(data)
      later()
    })
    upstream.on("data", (data) => {
      held.push(data)
      later()
    })
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(one)
      one.on("error", () => other.destroy())
      one.on("close", () => {
        clearTimeout(quiet)
        sockets.delete(one)
        other.destroy()
      })
    }
  }).listen(0, "127.0.0.1")
  await once(server, "listening")

  return {
    port: (server.address() as AddressInfo).port,
    roundTrips: () => roundTrips,
    loseNextReply: () => (losing = true),
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, "close")
    },
  }
}
