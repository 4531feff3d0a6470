/**
 * Reads the parts of a documentation page that tests check: its code fences, and the comments that tell tests what to do.
 *
 * | comment | meaning |
 * |---|---|
 * | `<!-- file: path -->` | the next fence is exactly that file |
 * | `<!-- before: code -->` | code to put in front of the next `ts` fence when it is type checked |
 * | `<!-- server: NAME=value … -->` | environment variables of the reference server that answers the `http` fences of the page |
 * | `<!-- user: u_042 {…} -->` | a user to create at this point, which the page calls `u_042` |
 */
import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"

/** The root directory of the repository. */
export const root = join(import.meta.dirname, "../../..")

/** A part of a page that tests check. */
export type Piece =
  | {
      readonly _tag: "Fence"
      readonly language: string
      readonly text: string
      readonly line: number
      /** The file that the fence repeats. */
      readonly file: string | undefined
      /** Code in front of the fence that readers do not see. */
      readonly before: string
    }
  | { readonly _tag: "Server"; readonly environment: Readonly<Record<string, string>> }
  | { readonly _tag: "User"; readonly id: string; readonly user: unknown }

/** A page and its parts, in order. */
export interface Page {
  readonly path: string
  readonly text: string
  readonly pieces: ReadonlyArray<Piece>
}

const pattern =
  /^```(?<language>[a-z]*)\n(?<code>.*?)^```$|^<!-- (?<name>file|before|server|user):\s(?<argument>.*?)\s*-->$/gms

const read = (path: string): Page => {
  const text = readFileSync(join(root, path), "utf8")
  const pieces: Array<Piece> = []
  let file: string | undefined
  let before = ""
  for (const { groups = {}, index } of text.matchAll(pattern)) {
    const { name, argument = "", language = "", code = "" } = groups
    if (name === "file") file = argument
    else if (name === "before") before = `${argument}\n`
    else if (name === "server") {
      const environment = argument.split(" ").map((variable) => variable.split("=", 2) as [string, string])
      pieces.push({ _tag: "Server", environment: Object.fromEntries(environment) })
    } else if (name === "user") {
      const [, id = "", user = ""] = /^(\S+) (.*)$/s.exec(argument) ?? []
      pieces.push({ _tag: "User", id, user: JSON.parse(user) })
    } else {
      const line = text.slice(0, index).split("\n").length
      pieces.push({ _tag: "Fence", language, text: code, line, file, before })
      file = undefined
      before = ""
    }
  }
  return { path, text, pieces }
}

/** The pages for users of the packages. */
export const guides = (): ReadonlyArray<Page> =>
  globSync(["README.md", "docs/*.md", "packages/*/README.md", "packages/*/src/*/README.md"], { cwd: root })
    .sort()
    .map(read)

/** All pages of the repository. */
export const pages = (): ReadonlyArray<Page> => [
  ...guides(),
  ...globSync(["[A-Z]*.md", "{examples,test-services,bench}/**/*.md"], {
    cwd: root,
    exclude: ["README.md", "**/node_modules/**", "**/dist/**"],
  })
    .sort()
    .map(read),
]

/** The code fences of a page in one language. */
export const fences = ({ pieces }: Page, language: string) =>
  pieces.flatMap((piece) => (piece._tag === "Fence" && piece.language === language ? [piece] : []))
