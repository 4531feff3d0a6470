/**
 * Checks the packages as users get them: builds, packs and inspects them, and installs and runs them outside of the workspace.
 */
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Consumer from "./pack/Consumer.ts"
import * as ConsumerTypes from "./pack/ConsumerTypes.ts"
import * as Packed from "./pack/Packed.ts"
import { runOrThrow } from "./run.ts"

const root = join(import.meta.dirname, "..")

const check = async (scratch: string): Promise<ReadonlyArray<string>> => {
  const directories = globSync("packages/*", { cwd: root })
    .map((directory) => join(root, directory))
    .filter((directory) => existsSync(join(directory, "package.json")))
    .sort()
  const manifests = directories.map((directory) => readManifest(directory))

  // A clean build, so that files which were renamed or removed since the last one are not packed.
  for (const directory of directories) rmSync(join(directory, "dist"), { recursive: true, force: true })
  await runOrThrow(join(root, "node_modules/.bin/tsc"), ["-b"], root)

  const destination = join(scratch, "tarballs")
  mkdirSync(destination)
  const packages: Array<Packed.Packed> = []
  const found: Array<string> = []
  for (const [index, directory] of directories.entries()) {
    if (manifests[index]?.private === true) continue
    const packed = await Packed.pack(directory, destination)
    packages.push(packed)
    found.push(...(await Packed.findings(packed, root)))
  }
  const consumer = join(scratch, "consumer")
  await Consumer.install(packages, manifests, consumer)
  found.push(...(await Consumer.findings(packages, root, consumer)))
  found.push(...(await ConsumerTypes.findings(root, consumer)))
  console.log(`Checked ${packages.map(({ manifest }) => `${manifest.name}@${manifest.version}`).join(", ")}`)
  return found
}

const readManifest = (directory: string): Packed.Manifest =>
  JSON.parse(readFileSync(join(directory, "package.json"), "utf8"))

const scratch = mkdtempSync(join(tmpdir(), "multistatus-pack-"))
try {
  const found = await check(scratch)
  for (const finding of found) console.error(finding)
  console.log(found.length === 0 ? "No findings" : `${found.length} findings`)
  process.exitCode = found.length === 0 ? 0 : 1
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
