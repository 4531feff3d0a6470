/** A worker process that tests can kill. Arguments: URL, options of the queue, and what to do with a chunk. */
import { bullmqQueue } from "../../src/jobs/bullmqQueue.ts"

const [url = "", options = "{}", conduct = "hold"] = process.argv.slice(2)

const queue = bullmqQueue(url, JSON.parse(options))
await queue.consume(
  {
    run: async ({ ref, signal }) => {
      signal.addEventListener("abort", () => process.stdout.write(`aborted ${ref.chunk}\n`))
      process.stdout.write(`${ref.chunk}\n`)
      if (conduct === "die") process.kill(process.pid, "SIGKILL")
      if (conduct === "hold") await new Promise(() => {})
    },
    dead: async ({ chunk }) => {
      process.stdout.write(`dead ${chunk}\n`)
    },
  },
  2,
)
process.stdout.write("ready\n")
