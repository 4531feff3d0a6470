/** A TCP proxy in front of a database that cuts a connection where it hurts most: at its commit. */
import { once } from "node:events"
import { connect, createServer, type AddressInfo, type Socket } from "node:net"

/**
 * - `before`: the connection is cut with the commit not sent on.
 * - `after`: the commit is sent on, and its reply lost with the connection.
 * - `silent`: the commit is not sent on, and the connection stays open.
 * - `lost`: like `after`, and no new connection is accepted.
 */
export type Cut = "before" | "after" | "silent" | "lost"

export interface CutProxy {
  /** The database's URL, through the proxy. */
  readonly url: string
  /** Cuts at the next commit, once. */
  readonly cutNext: (cut: Cut) => void
  /** Resolves when a connection was cut. */
  readonly cut: () => Promise<void>
  /** Accepts connections again. */
  readonly heal: () => void
  readonly close: () => Promise<void>
}

// The statement alone: PostgreSQL's Query and Parse messages end it with a zero, MySQL's COM_QUERY with the packet.
const isCommit = (chunk: Buffer): boolean => {
  const text = chunk.toString("latin1")
  return text.includes("commit\0") || text.endsWith("\u0003commit")
}

export const cutProxy = async (databaseUrl: string): Promise<CutProxy> => {
  const target = new URL(databaseUrl)
  const sockets = new Set<Socket>()
  let next: Cut | undefined
  let refusing = false
  let wasCut = (): void => undefined
  let cutting = Promise.resolve()

  const server = createServer((client) => {
    if (refusing) return void client.destroy()
    const database = connect(Number(target.port), "127.0.0.1")
    const both = [client, database] as const
    const cutNow = () => both.forEach((socket) => socket.destroy())
    let mute: "reply" | "all" | undefined
    for (const socket of both) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on("error", () => undefined)
      socket.on("close", () => {
        sockets.delete(socket)
        cutNow()
      })
    }
    client.on("data", (chunk: Buffer) => {
      if (mute === "all") return
      if (next !== undefined && isCommit(chunk)) {
        const cut = next
        next = undefined
        if (cut === "before") {
          wasCut()
          return cutNow()
        }
        mute = cut === "silent" ? "all" : "reply"
        refusing = cut === "lost"
        if (cut === "silent") return
      }
      database.write(chunk)
    })
    database.on("data", (chunk: Buffer) => {
      if (mute === "reply") {
        cutNow()
        wasCut()
      } else if (mute === undefined) client.write(chunk)
    })
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const url = Object.assign(new URL(databaseUrl), { port: String((server.address() as AddressInfo).port) }).toString()
  return {
    url,
    cutNext: (cut) => {
      next = cut
      refusing = false
      cutting = new Promise((resolve) => (wasCut = resolve))
    },
    cut: () => cutting,
    heal: () => (refusing = false),
    close: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, "close")
    },
  }
}
