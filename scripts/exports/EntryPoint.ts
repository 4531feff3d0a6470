/** An entry point of a published package: what its users import. */
import { globSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"

const root = join(import.meta.dirname, "../..")

export interface EntryPoint {
  /** Directory of the package below `packages`, `core` for one. */
  readonly directory: string
  /** The name that users import, `@multistatus/core/adapter` for one. */
  readonly name: string
  /** The name in the file name of its API report: `core`, `core.adapter`. */
  readonly reportName: string
  /** Path of its source. */
  readonly source: string
  /** Path of its declarations, which `tsc -b` emits. */
  readonly declarations: string
}

interface Manifest {
  readonly name: string
  readonly private?: boolean
  readonly exports: Readonly<Record<string, string>>
  readonly publishConfig: { readonly exports: Readonly<Record<string, string | { readonly types: string }>> }
}

/** Every entry point of every published package, in the order of their names. */
export const entryPoints = (): ReadonlyArray<EntryPoint> =>
  globSync("packages/*/package.json", { cwd: root })
    .sort()
    .flatMap((path) => {
      const manifest = JSON.parse(readFileSync(join(root, path), "utf8")) as Manifest
      if (manifest.private === true) return []
      const directory = dirname(path)
      return Object.entries(manifest.publishConfig.exports).flatMap(([subpath, target]): ReadonlyArray<EntryPoint> => {
        if (typeof target === "string") return []
        const short = directory.replace("packages/", "")
        return [
          {
            directory: short,
            name: manifest.name + subpath.slice(1),
            reportName: [short, ...subpath.split("/").slice(1)].join("."),
            source: join(root, directory, manifest.exports[subpath]!),
            declarations: join(root, directory, target.types),
          },
        ]
      })
    })
