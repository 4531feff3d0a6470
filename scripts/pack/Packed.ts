/** A package as the registry would get it: its tarball and the files in it. */
import { dirname, join } from "node:path"
import { run, runOrThrow } from "../run.ts"

/** The fields of a manifest that matter to users of the package. */
export interface Manifest {
  readonly name: string
  readonly version: string
  readonly private?: boolean
  readonly type?: string
  readonly exports?: string | Readonly<Record<string, string | Readonly<Record<string, string>>>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
}

/** A packed package. */
export interface Packed {
  readonly tarball: string
  readonly manifest: Manifest
  readonly files: ReadonlySet<string>
}

/** Packs the package of a directory into a tarball in `destination`, and reads the tarball. */
export const pack = async (directory: string, destination: string): Promise<Packed> => {
  const args = ["--yes", "pnpm@12", "pack", "--json", "--pack-destination", destination]
  const { filename } = JSON.parse(await runOrThrow("npx", args, directory))
  return read(join(destination, filename.slice(filename.lastIndexOf("/") + 1)))
}

/** Reads a tarball. */
export const read = async (tarball: string): Promise<Packed> => {
  const directory = dirname(tarball)
  const listing = await runOrThrow("tar", ["-tzf", tarball], directory)
  const files = new Set(listing.split("\n").map((path) => path.replace(/^package\//, "./")))
  const manifest = JSON.parse(await runOrThrow("tar", ["-xzOf", tarball, "package/package.json"], directory))
  return { tarball, manifest, files }
}

/** The entry points of a package, as users import them. */
export const entryPoints = ({ manifest }: Packed): ReadonlyArray<string> =>
  Object.keys(typeof manifest.exports === "object" ? manifest.exports : { ".": manifest.exports })
    .filter((path) => path !== "./package.json")
    .map((path) => manifest.name + path.slice(1))

/** Checks the manifest, the files and the types in a tarball, and returns the faults. */
export const findings = async (packed: Packed, root: string): Promise<ReadonlyArray<string>> => {
  const tools = await Promise.all(
    [
      ["publint", "run", packed.tarball, "--strict"],
      ["attw", packed.tarball, "--profile", "esm-only", "--no-color", "--no-emoji", "--format", "ascii"],
    ].map(async ([tool = "", ...args]) => {
      const { output, succeeded } = await run(join(root, "node_modules/.bin", tool), args, root)
      return succeeded ? [] : [`${tool}: ${output.trim()}`]
    }),
  )
  return [...rangeFindings(packed), ...exportFindings(packed), ...fileFindings(packed), ...tools.flat()].map(
    (finding) => `${packed.manifest.name}: ${finding}`,
  )
}

const rangeFindings = ({ manifest }: Packed): ReadonlyArray<string> =>
  [manifest.dependencies, manifest.peerDependencies, manifest.optionalDependencies]
    .flatMap((dependencies) => Object.entries(dependencies ?? {}))
    .filter(([, range]) => /^(workspace|link|file|catalog):/.test(range))
    .map(([name, range]) => `depends on ${name} at ${range}, which only the workspace resolves`)

const exportFindings = ({ files, manifest }: Packed): ReadonlyArray<string> => {
  const { exports = {} } = manifest
  const targets = [exports]
    .flatMap((target) => (typeof target === "string" ? [target] : Object.values(target)))
    .flatMap((target) => (typeof target === "string" ? [target] : Object.values(target)))
  return [
    ...(targets.length === 0 ? ["has no exports"] : []),
    ...(manifest.type === "module" ? [] : ["is not an ES module"]),
    ...targets.filter((target) => !files.has(target)).map((target) => `exports ${target}, which is not packed`),
    ...targets
      .filter((target) => target !== "./package.json" && !target.startsWith("./dist/"))
      .map((target) => `exports ${target}, which is not built`),
  ]
}

const fileFindings = ({ files }: Packed): ReadonlyArray<string> => [
  ...["./README.md", "./LICENSE"].filter((file) => !files.has(file)).map((file) => `lacks ${file}`),
  ...[...files]
    .filter((file) => /\.tsbuildinfo$|\.test\.|^\.\/(test|node_modules)\//.test(file))
    .map((file) => `packs ${file}, which users do not need`),
]
