/** Ports nobody listens on. */
import { createServer } from "node:net"

/**
 * Finds a free port of 127.0.0.1.
 *
 * **Gotchas** It is free when found, not reserved: start the server with another one when it is taken meanwhile.
 */
export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() =>
        typeof address === "object" && address !== null ? resolve(address.port) : reject(new Error("no free port")),
      )
    })
  })
