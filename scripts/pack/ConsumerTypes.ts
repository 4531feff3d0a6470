/** The declarations of the packed packages, as the compilers of users read them. */
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { run, runOrThrow } from "../run.ts"

/** The oldest and the newest compiler that is supported, and those between them that users have. */
const compilers = ["5.7", "5.9", "6", "7"]

const resolutions = [
  { module: "NodeNext", moduleResolution: "NodeNext" },
  { module: "ESNext", moduleResolution: "Bundler" },
]

/**
 * Type checks a program against the packages that are installed in a project, with every compiler and module resolution.
 * Returns the errors in the program and in the declarations of the packages, but not those of other packages.
 */
export const findings = async (root: string, consumer: string): Promise<ReadonlyArray<string>> => {
  const directory = join(consumer, "types")
  mkdirSync(directory)
  copyFileSync(join(root, "scripts/consumer/types.ts"), join(directory, "types.ts"))
  const found: Array<string> = []
  for (const version of compilers) {
    const tool = join(consumer, `typescript-${version}`)
    mkdirSync(tool)
    writeFileSync(join(tool, "package.json"), JSON.stringify({ private: true }))
    await runOrThrow("npm", ["install", "--no-audit", "--no-fund", "--loglevel=error", `typescript@${version}`], tool)
    for (const resolution of resolutions) {
      const name = `tsconfig.${version}.${resolution.moduleResolution}.json`
      writeFileSync(join(directory, name), JSON.stringify(tsconfig(resolution)))
      const compiler = join(tool, "node_modules/typescript/bin/tsc")
      const { output } = await run(process.execPath, [compiler, "-p", name, "--pretty", "false"], directory)
      const errors = ownErrors(output)
      if (errors !== "") found.push(`TypeScript ${version}, ${resolution.moduleResolution}: ${errors}`)
    }
  }
  return found
}

// An error may have several lines; all but the first are indented.
const ownErrors = (output: string): string =>
  output
    .trim()
    .split(/\n(?=\S)/)
    .filter((error) => error !== "" && !/^[^(]*node_modules\/(?!@multistatus\/)/.test(error))
    .join("\n")

const tsconfig = (resolution: (typeof resolutions)[number]) => ({
  compilerOptions: {
    ...resolution,
    target: "ES2023",
    lib: ["ES2023", "ESNext.Disposable"],
    types: ["node"],
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    skipLibCheck: false,
  },
  files: ["types.ts"],
})
