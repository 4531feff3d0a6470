import { connect } from "node:net"

/** Tells whether anybody accepts connections on a port of 127.0.0.1. */
export const connects = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port })
    socket.once("connect", () => {
      socket.destroy()
      resolve(true)
    })
    socket.once("error", () => resolve(false))
  })
