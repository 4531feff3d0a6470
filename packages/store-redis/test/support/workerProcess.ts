import { spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import type { BullmqOptions } from "../../src/jobs/BullmqOptions.ts"

const program = fileURLToPath(new URL("worker.ts", import.meta.url))

/** Starts a worker process, which runs until it is disposed. */
export const startWorker = (url: string, options: BullmqOptions, conduct: "die" | "hold" | "finish") => {
  const child = spawn(process.execPath, [program, url, JSON.stringify(options), conduct], {
    stdio: ["ignore", "pipe", "inherit"],
  })
  const exited = once(child, "exit")
  let text = ""
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk))
  return {
    lines: () => text.split("\n").slice(0, -1),
    hasExited: () => child.exitCode !== null || child.signalCode !== null,
    kill: async (signal: NodeJS.Signals) => {
      child.kill(signal)
      if (signal === "SIGKILL") await exited
    },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL")
      await exited
    },
  }
}
