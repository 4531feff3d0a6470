/**
 * A running application, whatever its framework.
 */
import type { Server } from "node:http"
import type { AddressInfo, Socket } from "node:net"

/** An application with its routes, ready to listen. */
export interface Host<App> {
  readonly app: App
  /** What whoever starts the server should know; undefined for nothing. */
  readonly notice: string | undefined
  /** Listens on 127.0.0.1 and answers with the port; 0 takes any free one. */
  readonly listen: (port: number) => Promise<number>
  /** Takes no more connections, lets the requests in flight end, and closes. */
  readonly close: () => Promise<void>
}

/** The port that a listening server was given. */
export const portOf = (server: Server): number => (server.address() as AddressInfo).port

/**
 * Keeps in sight the connections of a server over which no request has come yet, such as those that browsers and load
 * balancers open in advance.
 */
export const watchUnused = (server: Server): ReadonlySet<Socket> => {
  const unused = new Set<Socket>()
  server.on("connection", (socket) => {
    unused.add(socket)
    socket.once("close", () => unused.delete(socket))
  })
  server.prependListener("request", ({ socket }) => unused.delete(socket))
  return unused
}

/**
 * Closes the connections that carry no request for as long as a server is closing.
 *
 * A server closes only those that are idle when it starts to close, and counts those that were never used as busy: one
 * that still answered then, or that nothing came over yet, would be kept until its time-out.
 */
export const drain = async (server: Server, unused: ReadonlySet<Socket>, closing: Promise<void>): Promise<void> => {
  const sweep = setInterval(() => {
    server.closeIdleConnections()
    for (const socket of unused) socket.destroy()
  }, 20)
  try {
    await closing
  } finally {
    clearInterval(sweep)
  }
}
