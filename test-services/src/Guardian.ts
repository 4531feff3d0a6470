/**
 * A small process that ends the servers when their owner is gone.
 *
 * Exit handlers do not run on SIGKILL, and signal handlers would change how the test runner itself reacts to Ctrl-C. The
 * guardian needs neither: it reads a pipe whose other end is held by the owner alone, and the kernel closes that end however
 * the owner ends.
 */
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

/** What the guardian ends and removes. */
export interface Ward {
  /** The server's directory, removed after its processes. */
  readonly directory: string

  /** The server's processes; empty before it runs. */
  readonly pids: ReadonlyArray<number>

  /** The signal that makes it end at once and still give back what the operating system holds for it. */
  readonly signal: NodeJS.Signals
}

/** Puts a server in the guardian's care, or replaces what is known of it. */
export const watch = (ward: Ward): void => tell({ watch: ward })

/** Takes a server that was stopped in order out of the guardian's care. */
export const release = (directory: string): void => tell({ release: directory })

/** A line that the guardian reads. */
export type Message = { readonly watch: Ward } | { readonly release: string }

let guardian: NodeJS.WritableStream | undefined

const tell = (message: Message): void => {
  guardian ??= start()
  guardian.write(`${JSON.stringify(message)}\n`)
}

const start = (): NodeJS.WritableStream => {
  const program = fileURLToPath(new URL("./guard.ts", import.meta.url))
  // Detached: a Ctrl-C in the terminal reaches the whole foreground group and would end the guardian first.
  const child = spawn(process.execPath, [program], { detached: true, stdio: ["pipe", "ignore", "ignore"], cwd: "/" })
  child.unref()
  const { stdin } = child
  if ("unref" in stdin && typeof stdin.unref === "function") stdin.unref()
  stdin.on("error", () => undefined)
  return stdin
}
