/** One operating system process of a server: starting, freezing, killing and starting it again. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { openSync, closeSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { anyRuns, processTree } from "./processTree.ts"
import { sendSignal } from "./sendSignal.ts"
import type { SystemUser } from "./SystemUser.ts"

/** How a server's process is run. */
export interface Command {
  readonly program: string
  readonly args: ReadonlyArray<string>
  readonly directory: string
  readonly user: SystemUser | undefined

  /** Resolves when the server answers, rejects while it does not. */
  readonly ready: () => Promise<void>

  /** The signal of an orderly end. */
  readonly stopSignal: NodeJS.Signals
}

const startTimeout = 30_000
const stopTimeout = 5_000

/** A running process that can be started again. */
export class ServerProcess {
  readonly #command: Command
  #child: ChildProcess | undefined

  constructor(command: Command) {
    this.#command = command
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Starts the process and resolves when it answers; the error carries the end of its log. */
  async start(): Promise<void> {
    if (this.#child !== undefined) throw new Error("The server already runs")
    const { directory, program, args, user, ready } = this.#command
    const log = openSync(join(directory, "log"), "a")
    const child = spawn(program, args, { cwd: directory, detached: true, stdio: ["ignore", log, log], ...user })
    closeSync(log)
    this.#child = child
    child.once("exit", () => (this.#child = undefined))
    child.once("error", () => (this.#child = undefined))
    child.unref()
    const deadline = performance.now() + startTimeout
    while (this.#child === child) {
      try {
        return await ready()
      } catch (error) {
        if (performance.now() > deadline) {
          await this.kill("SIGKILL")
          throw new Error(`${program} does not answer\n${this.#log()}`, { cause: error })
        }
        await sleep(25)
      }
    }
    throw new Error(`${program} ended before it answered\n${this.#log()}`)
  }

  /** Sends a signal and resolves when the process and its children are gone. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    if (child?.pid === undefined) return
    const gone = once(child, "exit")
    const tree = processTree(child.pid)
    sendSignal(signal === "SIGKILL" ? tree : [child.pid], signal)
    child.ref()
    await gone
    while (anyRuns(tree)) await sleep(10)
  }

  /** Ends the process in the orderly way, and by force when that takes too long. */
  async stop(): Promise<void> {
    const child = this.#child
    if (child?.pid === undefined) return
    this.resume()
    const force = setTimeout(() => sendSignal(processTree(child.pid ?? 0), "SIGKILL"), stopTimeout)
    await this.kill(this.#command.stopSignal)
    clearTimeout(force)
  }

  /** Freezes the process and its children. */
  pause(): void {
    // Parents first: a frozen parent starts no further child.
    if (this.pid !== undefined) {
      sendSignal([this.pid], "SIGSTOP")
      sendSignal(processTree(this.pid), "SIGSTOP")
    }
  }

  /** Thaws the process and its children. */
  resume(): void {
    if (this.pid !== undefined) sendSignal([...processTree(this.pid)].reverse(), "SIGCONT")
  }

  #log(): string {
    return readFileSync(join(this.#command.directory, "log"), "utf8").split("\n").slice(-20).join("\n")
  }
}
