/**
 * The address of the repository, and the fields of each manifest that are made from it.
 *
 * `node scripts/repository.ts` writes those fields into every `package.json`; a test checks that they agree.
 */
import { globSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"

const root = join(import.meta.dirname, "..")

/** A placeholder until the repository is published. */
export const repository = "https://git.example.com/multistatus"

/** The paths of all manifests of the workspace, below its root. */
export const manifestPaths = (): ReadonlyArray<string> =>
  globSync(
    ["package.json", "packages/*/package.json", "examples/*/package.json", "{bench,test-services}/package.json"],
    {
      cwd: root,
    },
  ).sort()

/** The fields that name the repository in the manifest of a path. */
export const repositoryFields = (path: string) => {
  const directory = dirname(path)
  const isRoot = directory === "."
  return {
    homepage: isRoot ? `${repository}#readme` : `${repository}/tree/main/${directory}#readme`,
    bugs: { url: `${repository}/issues` },
    author: "Multistatus contributors",
    repository: { type: "git", url: `git+${repository}.git`, ...(!isRoot && { directory }) },
  }
}

if (import.meta.main) {
  for (const path of manifestPaths()) {
    const manifest = JSON.parse(readFileSync(join(root, path), "utf8")) as Record<string, unknown>
    const written = { ...manifest, ...repositoryFields(path) }
    writeFileSync(join(root, path), `${JSON.stringify(written, undefined, 2)}\n`)
  }
}
