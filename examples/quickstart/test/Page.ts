/**
 * A page of the documentation, as far as it can be held to the code: its fences, and the comments that direct tests.
 *
 * | comment | means |
 * |---|---|
 * | `<!-- file: path -->` | the next fence is that file, to the letter |
 * | `<!-- before: code -->` | the next `ts` fence is checked after this code |
 * | `<!-- server: NAME=value … -->` | environment of the reference server that answers the page's `http` fences |
 * | `<!-- user: u_042 {…} -->` | a user that is there by then, known on the page as `u_042` |
 */
import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"

/** The project's own directory. */
export const root = join(import.meta.dirname, "../../..")

/** A piece of a page that tests look at. */
export type Piece =
  | {
      readonly _tag: "Fence"
      readonly language: string
      readonly text: string
      readonly line: number
      /** The file that the fence shows. */
      readonly file: string | undefined
      /** What stands before the fence without being shown. */
      readonly before: string
    }
  | { readonly _tag: "Server"; readonly environment: Readonly<Record<string, string>> }
  | { readonly _tag: "User"; readonly id: string; readonly user: unknown }

/** A page and its pieces, in order. */
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

/** The pages that explain how the packages are used. */
export const guides = (): ReadonlyArray<Page> =>
  globSync(["README.md", "docs/*.md", "packages/*/README.md", "packages/*/src/*/README.md"], { cwd: root })
    .sort()
    .map(read)

/** Every page. */
export const pages = (): ReadonlyArray<Page> => [
  ...guides(),
  ...globSync(["[A-Z]*.md", "{examples,test-services,bench}/**/*.md"], {
    cwd: root,
    exclude: ["README.md", "**/node_modules/**", "**/dist/**"],
  })
    .sort()
    .map(read),
]

/** The fences of a page in one language. */
export const fences = ({ pieces }: Page, language: string) =>
  pieces.flatMap((piece) => (piece._tag === "Fence" && piece.language === language ? [piece] : []))
