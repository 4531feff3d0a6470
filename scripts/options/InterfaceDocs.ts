/** Docstrings of the members of an interface, read from its source. */
import { readFileSync } from "node:fs"
import { parseSync } from "oxc-parser"

/** Docstrings by member, each as one line of text. Inherited members are not included. */
export const memberDocs = (file: string, name: string): ReadonlyMap<string, string> => {
  const text = readFileSync(file, "utf8")
  const { comments, program } = parseSync(file, text)
  for (const statement of program.body) {
    const declaration = statement.type === "ExportNamedDeclaration" ? statement.declaration : statement
    if (declaration?.type !== "TSInterfaceDeclaration" || declaration.id.name !== name) continue
    return new Map(
      declaration.body.body.flatMap((member) => {
        if (member.type !== "TSPropertySignature" || member.key.type !== "Identifier") return []
        const above = comments.findLast(({ end }) => end <= member.start && text.slice(end, member.start).trim() === "")
        return [[member.key.name, above?.value.startsWith("*") === true ? oneLine(above.value) : ""] as const]
      }),
    )
  }
  throw new Error(`${file} has no interface ${name}`)
}

/** The first sentence of a docstring. */
export const firstSentence = (docstring: string): string => docstring.split(/(?<=\.)\s/, 1)[0] ?? ""

const oneLine = (comment: string): string =>
  comment
    .replace(/^\s*\*+/gm, "")
    .replace(/\s+/g, " ")
    .trim()
