/**
 * Temporary directories that carry their owner's process id, so that leftovers of a machine that went down are found.
 */
import { chownSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Guardian from "./Guardian.ts"
import { sendSignal } from "./sendSignal.ts"
import type { SystemUser } from "./SystemUser.ts"

const prefix = "multistatus-test-"

/** Makes an empty directory that the given user may write, after removing those whose owner no longer exists. */
export const make = (product: string, user: SystemUser | undefined): string => {
  removeStale()
  const directory = mkdtempSync(join(tmpdir(), `${prefix}${process.pid}-${product}-`))
  if (user !== undefined) chownSync(directory, user.uid, user.gid)
  // From the start: preparing a data directory takes long enough to be killed meanwhile.
  Guardian.watch({ directory, pids: [], signal: "SIGKILL" })
  return directory
}

/** Removes the directories of owners that no longer exist. */
export const removeStale = (): void => {
  for (const name of readdirSync(tmpdir())) {
    if (!name.startsWith(prefix)) continue
    const owner = Number.parseInt(name.slice(prefix.length), 10)
    if (Number.isNaN(owner) || isAlive(owner)) continue
    // Another process may be removing the same leftover, or it may belong to another user.
    try {
      rmSync(join(tmpdir(), name), { recursive: true, force: true })
    } catch {
      continue
    }
  }
}

const isAlive = (pid: number): boolean => {
  try {
    return sendSignal([pid], 0)
  } catch {
    return true
  }
}
