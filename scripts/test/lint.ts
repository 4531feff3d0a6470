import { execFile } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../..", import.meta.url))
const oxlint = join(root, "node_modules/oxlint/bin/oxlint")

/** A finding of the linter. */
export interface Diagnostic {
  readonly code: string
  readonly filename: string
  readonly labels: ReadonlyArray<{ readonly span: { readonly line: number } }>
}

/** Lints modules in a new folder, under the rules of this repository. */
export const lint = async (modules: Readonly<Record<string, string>>): Promise<ReadonlyArray<Diagnostic>> => {
  const directory = mkdtempSync(join(tmpdir(), "import-rules-"))
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(directory, path)), { recursive: true })
    writeFileSync(join(directory, path), text)
  }
  try {
    for (const path of ["oxlint.config.ts", "scripts/rooms.ts"]) write(path, readFileSync(join(root, path), "utf8"))
    symlinkSync(join(root, "node_modules"), join(directory, "node_modules"))
    for (const [path, text] of Object.entries(modules)) write(path, text)
    const output = await new Promise<string>((resolve) =>
      execFile(process.execPath, [oxlint, "--format=json", "--deny-warnings"], { cwd: directory }, (_, stdout) =>
        resolve(stdout),
      ),
    )
    return JSON.parse(output).diagnostics
  } finally {
    rmSync(directory, { recursive: true })
  }
}
