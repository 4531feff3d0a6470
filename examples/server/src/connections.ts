/**
 * The connections of a server, and how they are closed when it stops.
 */
import type { Server } from "node:http"
import type { AddressInfo, Socket } from "node:net"

/** The port that a server listens on. */
export const portOf = (server: Server): number => (server.address() as AddressInfo).port

/**
 * Tracks the connections that have not carried a request yet, such as those that browsers and load balancers open in
 * advance.
 */
export const trackUnused = (server: Server): ReadonlySet<Socket> => {
  const unused = new Set<Socket>()
  server.on("connection", (socket) => {
    unused.add(socket)
    socket.once("close", () => unused.delete(socket))
  })
  server.prependListener("request", ({ socket }) => unused.delete(socket))
  return unused
}

/**
 * Closes the connections that carry no request, again and again until the server has closed.
 *
 * Node closes only the connections that are idle when a server starts to close. It counts unused connections as busy, and
 * keeps a connection whose last response is sent later until it times out.
 */
export const drain = async (server: Server, unused: ReadonlySet<Socket>, closed: Promise<void>): Promise<void> => {
  const sweep = setInterval(() => {
    server.closeIdleConnections()
    for (const socket of unused) socket.destroy()
  }, 20)
  try {
    await closed
  } finally {
    clearInterval(sweep)
  }
}
