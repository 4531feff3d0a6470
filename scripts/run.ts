/** Runs other programs. */
import { execFile } from "node:child_process"
import { promisify } from "node:util"

/** The end of a program, and its output. */
export interface Outcome {
  readonly succeeded: boolean
  readonly stdout: string
  /** Standard output, then standard error. */
  readonly output: string
}

/** Runs a program to its end, without standard input. A failing program is an outcome, not an exception. */
export const run = async (program: string, args: ReadonlyArray<string>, cwd: string): Promise<Outcome> => {
  const running = promisify(execFile)(program, args, { cwd, maxBuffer: 64 * 1024 * 1024 })
  running.child.stdin?.end()
  try {
    const { stdout, stderr } = await running
    return { succeeded: true, stdout, output: stdout + stderr }
  } catch (error) {
    if (!isFailure(error)) throw error
    return { succeeded: false, stdout: error.stdout, output: error.stdout + error.stderr || error.message }
  }
}

/** Runs a program that must succeed, and returns its standard output. */
export const runOrThrow = async (program: string, args: ReadonlyArray<string>, cwd: string): Promise<string> => {
  const { output, stdout, succeeded } = await run(program, args, cwd)
  if (!succeeded) throw new Error(`${program} ${args.join(" ")} failed in ${cwd}\n${output}`)
  return stdout
}

const isFailure = (error: unknown): error is Error & { readonly stdout: string; readonly stderr: string } =>
  error instanceof Error && "stdout" in error && "stderr" in error
