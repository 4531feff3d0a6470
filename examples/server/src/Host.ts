/**
 * A running application, whatever its framework.
 */
import type { Server } from "node:http"
import type { AddressInfo } from "node:net"

/**
 * An application with its routes, ready to listen.
 *
 * @category models
 * @since 0.1.0
 */
export interface Host<App> {
  readonly app: App
  /** Listens on 127.0.0.1 and answers with the port; 0 takes any free one. */
  readonly listen: (port: number) => Promise<number>
  /** Takes no more connections, lets the requests in flight end, and closes. */
  readonly close: () => Promise<void>
}

/**
 * The port that a listening server was given.
 *
 * @category getters
 * @since 0.1.0
 */
export const portOf = (server: Server): number => (server.address() as AddressInfo).port

/**
 * Closes the sockets that become idle for as long as a server is closing.
 *
 * A server closes only those that are idle when it starts to close; one that still answered then would be kept alive
 * until its time-out.
 *
 * @category constructors
 * @since 0.1.0
 */
export const drain = async (server: Server, closing: Promise<void>): Promise<void> => {
  const sweep = setInterval(() => server.closeIdleConnections(), 20)
  try {
    await closing
  } finally {
    clearInterval(sweep)
  }
}
