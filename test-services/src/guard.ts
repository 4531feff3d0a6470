/** The guardian's program: collects wards from its standard input and ends them when it closes. */
import { rmSync } from "node:fs"
import { createInterface } from "node:readline"
import { setTimeout as sleep } from "node:timers/promises"
import type { Message, Ward } from "./Guardian.ts"
import { anyRuns, processTree } from "./processTree.ts"
import { sendSignal } from "./sendSignal.ts"

const wards = new Map<string, Ward>()
for await (const line of createInterface({ input: process.stdin })) {
  const message: Message = JSON.parse(line)
  if ("watch" in message) wards.set(message.watch.directory, message.watch)
  else wards.delete(message.release)
}

const trees = [...wards.values()].map((ward) => ({ ward, pids: ward.pids.flatMap(processTree) }))
for (const { ward, pids } of trees) {
  sendSignal(pids, "SIGCONT")
  sendSignal(ward.pids, ward.signal)
}
const deadline = performance.now() + 1_000
while (anyRuns(trees.flatMap(({ pids }) => pids)) && performance.now() < deadline) await sleep(20)
for (const { ward, pids } of trees) {
  sendSignal(pids, "SIGKILL")
  rmSync(ward.directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
}
