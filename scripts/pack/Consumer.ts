/** A project outside of the workspace that uses the packed packages as a user would. */
import { copyFileSync, globSync, mkdirSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { run, runOrThrow } from "../run.ts"
import * as Packed from "./Packed.ts"

/**
 * Installs the tarballs and their peers from the registry into an empty project, with npm.
 *
 * The project also gets the type packages of the peers, so that the compiler can check the smoke programs.
 */
export const install = async (
  packages: ReadonlyArray<Packed.Packed>,
  manifests: ReadonlyArray<Packed.Manifest>,
  directory: string,
): Promise<void> => {
  const own = packages.map(({ manifest, tarball }) => [manifest.name, `file:${tarball}`])
  const peers = packages.flatMap(({ manifest }) => Object.entries(manifest.peerDependencies ?? {}))
  const types = manifests
    .flatMap(({ devDependencies }) => Object.entries(devDependencies ?? {}))
    .filter(([name]) => name === "@types/node" || peers.some(([peer]) => name === `@types/${peer}`))
  mkdirSync(directory)
  const manifest = {
    private: true,
    type: "module",
    dependencies: Object.fromEntries([...peers, ...own]),
    devDependencies: Object.fromEntries(types),
  }
  writeFileSync(join(directory, "package.json"), JSON.stringify(manifest, undefined, 2))
  await runOrThrow("npm", ["install", "--no-audit", "--no-fund", "--loglevel=error"], directory)
}

/** Imports every entry point, checks and runs every smoke program, and returns the failures. */
export const findings = async (
  packages: ReadonlyArray<Packed.Packed>,
  root: string,
  directory: string,
): Promise<ReadonlyArray<string>> => {
  const entryPoints = packages.flatMap(Packed.entryPoints)
  writeFileSync(join(directory, "imports.ts"), entryPoints.map(importAndCheck).join(""))
  const smoke = globSync("*.ts", { cwd: join(root, "scripts/smoke") })
  for (const file of smoke) copyFileSync(join(root, "scripts/smoke", file), join(directory, basename(file)))
  writeFileSync(join(directory, "tsconfig.json"), JSON.stringify(tsconfig))
  const types = await run(join(root, "node_modules/.bin/tsc"), ["-p", directory, "--pretty", "false"], directory)
  const found = types.succeeded ? [] : [`types: ${types.output.trim()}`]
  for (const file of ["imports.ts", ...smoke]) {
    const { output, succeeded } = await run(process.execPath, [file], directory)
    if (!succeeded) found.push(`${file}: ${output.trim()}`)
  }
  return found
}

const importAndCheck = (entryPoint: string): string => `
await import("${entryPoint}")
if (!import.meta.resolve("${entryPoint}").includes("/dist/")) {
  throw new Error("${entryPoint} resolves to " + import.meta.resolve("${entryPoint}"))
}
`

const tsconfig = {
  compilerOptions: {
    target: "ES2023",
    lib: ["ES2023", "ESNext.Disposable"],
    module: "NodeNext",
    types: ["node"],
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    allowImportingTsExtensions: true,
    erasableSyntaxOnly: true,
  },
  include: ["*.ts"],
}
