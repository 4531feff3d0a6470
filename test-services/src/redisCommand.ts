/** One command to a Redis server, without a client library. */
import { connect } from "node:net"

/**
 * Sends one command and answers with the raw reply, which the server's closing of the connection ends.
 *
 * **Details** Inline form: arguments must not contain spaces. An error reply rejects.
 */
export const redisCommand = (port: number, ...command: ReadonlyArray<string | number>): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, timeout: 2_000 })
    let text = ""
    socket.setEncoding("utf8")
    socket.on("connect", () => socket.write(`${command.join(" ")}\r\nQUIT\r\n`))
    socket.on("data", (chunk: string) => (text += chunk))
    socket.on("error", reject)
    socket.on("timeout", () => socket.destroy(new Error("Redis does not answer")))
    socket.on("end", () => (text.startsWith("-") ? reject(new Error(text.trim())) : resolve(text)))
    socket.on("close", () => reject(new Error("Redis closed the connection")))
  })
