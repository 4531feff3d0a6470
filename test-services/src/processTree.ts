/**
 * Which processes stem from a process. PostgreSQL's backends leave its process group, so a signal to the group misses
 * them.
 */
import { execFileSync } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"

/** Lists a process and all its descendants, parents first; empty when the process does not exist. */
export const processTree = (root: number): ReadonlyArray<number> => {
  const children = new Map<number, Array<number>>()
  let exists = false
  for (const [pid, parent] of parents()) {
    exists ||= pid === root
    children.set(parent, [...(children.get(parent) ?? []), pid])
  }
  const found = exists ? [root] : []
  for (const pid of found) found.push(...(children.get(pid) ?? []))
  return found
}

/**
 * Tells whether any of the processes still runs.
 *
 * **Details** One that has ended and waits for its parent to notice does not run, although signals still reach it: in a
 * container nobody may ever notice.
 */
export const anyRuns = (pids: ReadonlyArray<number>): boolean => parents().some(([pid]) => pids.includes(pid))

const parents = (): ReadonlyArray<readonly [pid: number, parent: number]> =>
  process.platform === "linux" ? parentsFromProc() : parentsFromPs()

const parentsFromProc = () =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name): Array<readonly [number, number]> => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, "utf8")
        // The second field is the command in parentheses and may itself contain both spaces and parentheses.
        const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
        return state === "Z" ? [] : [[Number(name), Number(parent)]]
      } catch {
        return []
      }
    })

const parentsFromPs = () =>
  execFileSync("ps", ["-A", "-o", "pid=,ppid=,state="], { encoding: "utf8" })
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields.length === 3 && !fields[2]?.startsWith("Z"))
    .map((fields) => [Number(fields[0]), Number(fields[1])] as const)
