/** Finds the programs of a product on this machine, and installs them where the tests may. */
import { execFile } from "node:child_process"
import { accessSync, constants, globSync } from "node:fs"
import { delimiter, join } from "node:path"
import { promisify } from "node:util"

/** What is looked for, and how a person installs it. */
export interface Product {
  readonly name: string

  /** Programs that must lie in the same directory; alternatives in the order of preference. */
  readonly programs: ReadonlyArray<ReadonlyArray<string>>

  /** Patterns of directories beyond `PATH`. */
  readonly directories: ReadonlyArray<string>

  readonly debianPackage: string
  readonly homebrewPackage: string
}

/** The machine as the search sees it; tests put another in its place. */
export interface Host {
  readonly path: string
  readonly isRoot: boolean
  readonly platform: NodeJS.Platform
  readonly install: (command: string, args: ReadonlyArray<string>) => Promise<void>
}

/**
 * Finds the programs' paths in the order of `product.programs`, newest version first.
 *
 * **Details** When they are missing, they are installed with `apt-get` if that exists and this process is root.
 * Otherwise the error names the command that would install them.
 */
export const locate = async (product: Product, host: Host = thisHost): Promise<ReadonlyArray<string>> => {
  const found = search(product, host)
  if (found !== undefined) return found
  const aptGet = host.isRoot ? searchPath("apt-get", host) : undefined
  if (aptGet !== undefined) {
    await host.install(aptGet, ["update"])
    await host.install(aptGet, ["install", "--yes", "--no-install-recommends", product.debianPackage])
    const installed = search(product, host)
    if (installed !== undefined) return installed
  }
  const command =
    host.platform === "darwin" ? `brew install ${product.homebrewPackage}` : `apt-get install ${product.debianPackage}`
  throw new Error(`${product.name} is not installed: run \`${command}\` and try again`)
}

const search = (product: Product, host: Host): ReadonlyArray<string> | undefined => {
  const versioned = product.directories.flatMap((pattern) => globSync(pattern).sort(byVersion).reverse())
  for (const directory of [...versioned, ...host.path.split(delimiter)]) {
    const paths = product.programs.map((names) =>
      names.map((name) => join(directory, name)).find((path) => isExecutable(path)),
    )
    if (paths.every((path) => path !== undefined)) return paths
  }
  return undefined
}

const searchPath = (program: string, host: Host): string | undefined =>
  host.path
    .split(delimiter)
    .map((directory) => join(directory, program))
    .find(isExecutable)

const byVersion = (left: string, right: string): number => left.localeCompare(right, "en", { numeric: true })

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const thisHost: Host = {
  // Daemons live in sbin, which is on the path of root alone.
  path: [process.env["PATH"], "/usr/sbin", "/usr/local/sbin"].join(delimiter),
  isRoot: process.getuid?.() === 0,
  platform: process.platform,
  install: async (command, args) => {
    // Runlevel 1 keeps the packages from starting a service of their own beside the tests' servers.
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" }
    await promisify(execFile)(command, ["-o", "DPkg::Lock::Timeout=300", ...args], { env })
  },
}
