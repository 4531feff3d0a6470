/**
 * A plain host in a process of its own, so that its event loop does nothing but serve. Prints its origin.
 *
 * `GET /blocked` returns the longest turn of the event loop since the last call, in milliseconds of processor time: a busy
 * machine makes everything wait, but no turn longer.
 */
import { startPlainHost } from "./plainHost.ts"

const binary = Buffer.alloc(4 * 2 ** 20, 0xfb)
const list = JSON.stringify({ items: Array.from({ length: 60_000 }, (_, id) => ({ id, price: 1.5 })) })

let longest = 0
let turnStart = process.cpuUsage()
const turn = () => {
  const { user, system } = process.cpuUsage(turnStart)
  longest = Math.max(longest, (user + system) / 1_000)
  turnStart = process.cpuUsage()
  setTimeout(turn, 0)
}
turn()

const { origin } = await startPlainHost({
  "/binary": (_, response) => response.setHeader("content-type", "application/octet-stream").end(binary),
  "/list": (_, response) => response.setHeader("content-type", "application/json").end(list),
  "/blocked": (_, response) => {
    response.end(String(longest))
    longest = 0
  },
  "/fast": (_, response) => response.end(),
})
process.stdout.write(`${origin}\n`)
