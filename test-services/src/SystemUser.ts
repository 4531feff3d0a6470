/** The unprivileged user as whom a server runs when the tests run as root: PostgreSQL and MariaDB refuse root. */
import { execFileSync } from "node:child_process"

/** A user of the operating system. */
export interface SystemUser {
  readonly uid: number
  readonly gid: number
}

/**
 * Finds the first of the named users when this process is root; nothing otherwise, since the process' own user will do.
 */
export const find = (...names: ReadonlyArray<string>): SystemUser | undefined => {
  if (process.getuid?.() !== 0) return undefined
  for (const name of [...names, "nobody"]) {
    try {
      return { uid: id("-u", name), gid: id("-g", name) }
    } catch {
      continue
    }
  }
  throw new Error(`This server refuses to run as root and none of the users ${names.join(", ")}, nobody exists`)
}

const id = (flag: string, name: string): number =>
  Number(execFileSync("id", [flag, name], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }))
