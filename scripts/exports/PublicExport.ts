/** The exports of an entry point, found by following its imports, and their docstrings. */
import { readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { type Declaration, parseSync, type Statement } from "oxc-parser"

/** An export, and the comment directly above its declaration. */
export interface PublicExport {
  /** The name that users write, such as `BatchEndpoint.make`. */
  readonly name: string
  readonly file: string
  readonly line: number
  readonly comment: string | undefined
}

/** Every export of an entry point, including those of its namespaces. Other packages are not followed. */
export const ofEntryPoint = (file: string): ReadonlyArray<PublicExport> => {
  const { body, declared } = read(file)
  return body.flatMap((statement): ReadonlyArray<PublicExport> => {
    if (statement.type === "ExportAllDeclaration") {
      const target = resolve(file, statement.source.value)
      if (target === undefined) return []
      const all = ofEntryPoint(target)
      const { exported } = statement
      return exported === null ? all : all.map((one) => ({ ...one, name: `${nameOf(exported)}.${one.name}` }))
    }
    if (statement.type !== "ExportNamedDeclaration") return []
    const { declaration, source, specifiers } = statement
    if (declaration !== null) return declared.filter(({ name }) => namesOf(declaration).includes(name))
    const target = source === null ? file : resolve(file, source.value)
    if (target === undefined) return []
    const there = target === file ? declared : [...read(target).declared, ...ofEntryPoint(target)]
    return specifiers.map(({ local, exported }) => {
      const found = there.find(({ name }) => name === nameOf(local))
      return { ...(found ?? { file: target, line: 1, comment: undefined }), name: nameOf(exported) }
    })
  })
}

/** Whether the docstring of an export has a sentence. */
export const hasSentence = ({ comment }: PublicExport): boolean => {
  const text = (comment ?? "").replace(/^\s*\* ?/gm, "")
  const [sentence = ""] = text.split(/(?:^|\s)@\w/, 1)
  return /[.:?]$/m.test(sentence.trim())
}

interface Module {
  readonly body: ReadonlyArray<Statement>
  readonly declared: ReadonlyArray<PublicExport>
}

const modules = new Map<string, Module>()

const read = (file: string): Module => {
  const known = modules.get(file)
  if (known !== undefined) return known
  const text = readFileSync(file, "utf8")
  const { comments, errors, program } = parseSync(file, text)
  if (errors.length > 0) throw new Error(`${file}: ${errors[0]?.message}`)
  const body = program.body.filter((node): node is Statement => !("directive" in node))
  const declared = body.flatMap((statement) => {
    const declaration = statement.type === "ExportNamedDeclaration" ? statement.declaration : statement
    const above = comments.findLast(
      ({ end }) => end <= statement.start && text.slice(end, statement.start).trim() === "",
    )
    const comment = above?.type === "Block" && above.value.startsWith("*") ? above.value : undefined
    const line = text.slice(0, statement.start).split("\n").length
    return (declaration === null ? [] : namesOf(declaration)).map((name) => ({ name, file, line, comment }))
  })
  modules.set(file, { body, declared })
  return { body, declared }
}

const namesOf = (declaration: Declaration | Statement): ReadonlyArray<string> => {
  if (declaration.type === "VariableDeclaration") {
    return declaration.declarations.flatMap(({ id }) => (id.type === "Identifier" ? [id.name] : []))
  }
  const id = "id" in declaration ? declaration.id : null
  return id !== null && id !== undefined && "name" in id && typeof id.name === "string" ? [id.name] : []
}

const nameOf = (name: { readonly name: string } | { readonly value: string }): string =>
  "name" in name ? name.name : name.value

const resolve = (from: string, specifier: string): string | undefined =>
  specifier.startsWith(".") ? join(dirname(from), specifier) : undefined
