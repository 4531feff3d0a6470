/**
 * Writes the API reports of all packages into `api/`; with `--check`, compares them instead.
 *
 * The check fails if a report differs or is missing, and if an exported signature names a type that no entry point of its
 * package exports. Both read the declarations that `tsc -b` emits.
 */
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import { parseArgs } from "node:util"
import { extractReports } from "./exports/apiReports.ts"
import { entryPoints } from "./exports/EntryPoint.ts"
import { unnameableTypes } from "./exports/unnameableTypes.ts"
import { run } from "./run.ts"

const folder = join(import.meta.dirname, "../api")

const { values } = parseArgs({ options: { check: { type: "boolean", default: false } } })

const packages = extractReports(entryPoints())
const reports = new Map<string, string>(
  packages.flatMap((one) => [...one.reports].map(([name, text]) => [`${name}.api.md`, text] as const)),
)

const write = (): void => {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder)
  for (const [file, text] of reports) writeFileSync(join(folder, file), text)
  console.log(`Wrote ${reports.size} API reports`)
}

const compare = async (): Promise<ReadonlyArray<string>> => {
  const written = globSync("*.api.md", { cwd: folder }).map((path) => basename(path))
  const scratch = mkdtempSync(join(tmpdir(), "multistatus-api-"))
  const findings: Array<string> = []
  try {
    for (const [file, text] of reports) {
      const path = join(folder, file)
      if (!existsSync(path)) findings.push(`api/${file} is missing`)
      else if (readFileSync(path, "utf8") !== text) {
        writeFileSync(join(scratch, file), text)
        const { output } = await run("git", ["diff", "--no-index", "--no-color", path, join(scratch, file)], scratch)
        findings.push(`api/${file} differs from the sources:\n${output}`)
      }
    }
  } finally {
    rmSync(scratch, { recursive: true })
  }
  const stale = written.filter((file) => !reports.has(file)).map((file) => `api/${file} is of no entry point`)
  return [...findings, ...stale].map((finding) => `${finding}\nRun npx --yes pnpm@12 api, and commit the result.`)
}

const unnameable = packages.flatMap(({ directory, whole, namespaces }) =>
  unnameableTypes(whole, namespaces).map(
    ({ type, usedBy }) => `packages/${directory}: ${usedBy} names the type ${type}. Export it from an entry point.`,
  ),
)
if (!values.check) write()
const findings = [...(values.check ? await compare() : []), ...unnameable]
for (const finding of findings) console.error(finding)
if (values.check) console.log(findings.length === 0 ? `${reports.size} API reports agree` : "The API check failed")
process.exitCode = findings.length === 0 ? 0 : 1
