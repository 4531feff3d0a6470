/**
 * Counts how many commits to core stayed in one folder: under the layout by layers, which they were made in, and under the
 * layout by subjects, had it existed then.
 *
 * The layout by layers ended with the commit `lastOfLayers`. `scripts/moves.tsv` lists the files of that commit with their
 * places in the layout by subjects. Files that were renamed before that commit are followed to their name in it.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { runOrThrow } from "./run.ts"

const root = join(import.meta.dirname, "..")
const sources = "packages/core/src/"
const lastOfLayers = "19024fc"

/** A commit, and the files that it touched. */
interface Commit {
  readonly subject: string
  readonly files: ReadonlyArray<TouchedFile>
}

interface TouchedFile {
  /** Its path after the commit. */
  readonly path: string
  /** Its path at the end of the layout by layers; undefined if it was deleted before. */
  readonly lastPath: string | undefined
}

const moves = new Map(
  readFileSync(join(import.meta.dirname, "moves.tsv"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => line.split("\t") as [string, string]),
)

const readCommits = async (): Promise<ReadonlyArray<Commit>> => {
  const args = ["log", "--no-merges", "--find-renames", "--name-status", "--format=@%s", lastOfLayers, "--", sources]
  const lines = (await runOrThrow("git", args, root)).split("\n").filter((line) => line !== "")
  const commits: Array<{ readonly subject: string; readonly files: Array<TouchedFile> }> = []
  // The log begins with the last commit, so each name before a rename is known from the name after it.
  const lastPaths = new Map<string, string | undefined>()
  const lastPathOf = (path: string) => (lastPaths.has(path) ? lastPaths.get(path) : path)
  for (const line of lines) {
    if (line.startsWith("@")) {
      commits.push({ subject: line.slice(1), files: [] })
      continue
    }
    const [status = "", path = "", renamed = path] = line.split("\t")
    const lastPath = status === "D" ? undefined : lastPathOf(renamed)
    commits.at(-1)!.files.push({ path: renamed, lastPath })
    lastPaths.set(path, lastPath)
    // Whatever had this name before was another file.
    if (status === "A") lastPaths.set(path, undefined)
  }
  return commits
}

const folderOf = (path: string): string => path.slice(sources.length).split("/", 1)[0]!

/** A file without a place in the new layout keeps the folder that it had. */
const roomOf = ({ path, lastPath = path }: TouchedFile): string => folderOf(moves.get(lastPath) ?? path)

const isOne = (folders: ReadonlyArray<string>): boolean => new Set(folders).size === 1

const count = (commits: ReadonlyArray<Commit>, isCounted: (path: string) => boolean) => {
  const small = commits
    .map(({ files }) => files.filter(({ path }) => isCounted(path)))
    .filter((files) => files.length >= 2 && files.length <= 12)
  return {
    commits: small.length,
    layers: small.filter((files) => isOne(files.map(({ path }) => folderOf(path)))).length,
    subjects: small.filter((files) => isOne(files.map(roomOf))).length,
  }
}

const isInFolder = (path: string): boolean => path.slice(sources.length).includes("/")
const isContract = (path: string): boolean => folderOf(path) === "testing"

const print = (what: string, { commits, layers, subjects }: ReturnType<typeof count>): void => {
  console.log(`${what}: ${commits} commits touched 2 to 12 files`)
  console.log(`  in one folder under the layout by layers:    ${layers}`)
  console.log(`  in one folder under the layout by subjects:  ${subjects}`)
}

const commits = await readCommits()
console.log(`Commits to ${sources} up to ${lastOfLayers}; entry points, directly in ${sources}, are not counted`)
print(
  "Without contract suites, which are in testing/ under both layouts",
  count(commits, (path) => isInFolder(path) && !isContract(path)),
)
print("With contract suites", count(commits, isInFolder))
