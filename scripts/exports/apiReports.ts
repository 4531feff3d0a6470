/** API reports: the public surface of an entry point as text, extracted from the declarations that `tsc -b` emits. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, relative } from "node:path"
import {
  CompilerState,
  Extractor,
  ExtractorConfig,
  ExtractorLogLevel,
  type ExtractorMessage,
} from "@microsoft/api-extractor"
import type { EntryPoint } from "./EntryPoint.ts"

const root = join(import.meta.dirname, "../..")

/** The reports of a package. */
export interface PackageReports {
  readonly directory: string
  /** Text of the report of each entry point, by the report's name. */
  readonly reports: ReadonlyMap<string, string>
  /** A report of all entry points together, which also has the declarations that none of them exports. */
  readonly whole: string
  /** The namespaces that the entry points export: `export * as Job`. */
  readonly namespaces: ReadonlySet<string>
}

/** Extracts the reports of all entry points of each package. */
export const extractReports = (entryPoints: ReadonlyArray<EntryPoint>): ReadonlyArray<PackageReports> => {
  const scratch = mkdtempSync(join(tmpdir(), "multistatus-api-"))
  const byPackage = Map.groupBy(entryPoints, ({ directory }) => directory)
  const wholes = [...byPackage.values()].map(writeWhole)
  try {
    const files = [...entryPoints.map(({ declarations }) => declarations), ...wholes]
    const extract = makeExtract(files, scratch)
    return [...byPackage].map(([directory, own], index) => ({
      directory,
      reports: new Map(own.map(({ reportName, declarations }) => [reportName, extract(declarations, directory)])),
      whole: extract(wholes[index]!, directory, { includeForgottenExports: true }),
      namespaces: new Set(own.flatMap(namespacesOf)),
    }))
  } finally {
    for (const whole of wholes) rmSync(whole)
    rmSync(scratch, { recursive: true })
  }
}

const namespacesOf = ({ declarations }: EntryPoint): ReadonlyArray<string> =>
  [...readFileSync(declarations, "utf8").matchAll(/^export \* as (\w+) from/gm)].map(([, name]) => name!)

const namesOf = ({ declarations }: EntryPoint): ReadonlyArray<string> =>
  [...readFileSync(declarations, "utf8").matchAll(/^export (?:type )?\{([^}]*)\}/gm)].flatMap(([, names]) =>
    names!.split(",").flatMap((name) => /(\w+)\s*$/.exec(name)?.[1] ?? []),
  )

/** Writes a module that exports every entry point of a package, next to the first one. */
const writeWhole = (entryPoints: ReadonlyArray<EntryPoint>): string => {
  const directory = dirname(entryPoints[0]!.declarations)
  const path = join(directory, ".all.d.ts")
  const specifierOf = ({ declarations }: EntryPoint) =>
    `"./${relative(directory, declarations).replace(/\.d\.ts$/, ".js")}"`
  const lines = entryPoints.map((entryPoint) => `export * from ${specifierOf(entryPoint)}\n`)
  // Two entry points may export different things under one name, such as a port and its service: `*` would export neither.
  const seen = new Map<string, number>()
  for (const entryPoint of entryPoints) {
    for (const name of namesOf(entryPoint)) {
      const count = (seen.get(name) ?? 0) + 1
      seen.set(name, count)
      lines.push(`export { ${name}${count === 1 ? "" : ` as ${name}_${count}`} } from ${specifierOf(entryPoint)}\n`)
    }
  }
  writeFileSync(path, lines.join(""))
  return path
}

interface ExtractOptions {
  readonly includeForgottenExports?: boolean
}

const makeExtract = (files: ReadonlyArray<string>, scratch: string) => {
  const [first = ""] = files
  const configure = (file: string, directory: string, { includeForgottenExports = false }: ExtractOptions) => {
    const folder = join(scratch, relative(root, file).replaceAll("/", "-"))
    mkdirSync(folder)
    return ExtractorConfig.prepare({
      configObjectFullPath: join(root, "api-extractor.json"),
      packageJsonFullPath: join(root, "packages", directory, "package.json"),
      configObject: {
        projectFolder: root,
        mainEntryPointFilePath: file,
        newlineKind: "lf",
        compiler: { overrideTsconfig: { compilerOptions, files } },
        apiReport: {
          enabled: true,
          includeForgottenExports,
          reportFileName: "report.api.md",
          reportFolder: folder,
          reportTempFolder: join(folder, "temporary"),
        },
        docModel: { enabled: false },
        dtsRollup: { enabled: false },
        tsdocMetadata: { enabled: false },
        messages,
      },
    })
  }
  const compilerState = CompilerState.create(configure(first, "core", {}), { additionalEntryPoints: [...files] })
  return (file: string, directory: string, options: ExtractOptions = {}): string => {
    rmSync(join(scratch, relative(root, file).replaceAll("/", "-")), { recursive: true, force: true })
    const config = configure(file, directory, options)
    Extractor.invoke(config, { compilerState, localBuild: true, messageCallback: silence })
    return readFileSync(config.reportFilePath, "utf8")
  }
}

const compilerOptions = {
  target: "es2024",
  lib: ["es2024", "esnext.disposable"],
  module: "nodenext",
  moduleResolution: "nodenext",
  types: ["node"],
  strict: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: true,
  noEmit: true,
  // Other packages of the workspace are resolved to their sources.
  allowImportingTsExtensions: true,
}

const none = { logLevel: ExtractorLogLevel.None }

// The compiler checks the types; the docstrings need no release tags.
const messages = {
  compilerMessageReporting: { default: none },
  extractorMessageReporting: { default: none },
  tsdocMessageReporting: { default: none },
}

const silence = (message: ExtractorMessage): void => {
  message.handled = true
}
