/** Finds types that an exported signature names and that no entry point of the package exports. */
import { parseSync, type Statement, Visitor, type VisitorObject } from "oxc-parser"

/** A type that users cannot name, and an export whose signature names it. */
export interface UnnameableType {
  readonly type: string
  readonly usedBy: string
}

/**
 * Reads the API report of all entry points of a package, with the declarations that they do not export. The report does not
 * tell which of its namespaces are exported, so those are given.
 *
 * A type that another package exports is imported in the report, so users can name it. `typeof` a constant, the base of a
 * class that a function makes, and an alias that an interface extends or that another alias is made of are not names that
 * users write; the types in them are checked instead.
 */
export const unnameableTypes = (
  report: string,
  namespaces: ReadonlySet<string> = new Set(),
): ReadonlyArray<UnnameableType> => {
  const { declarations, exported } = read(report)
  const nameable = new Set<string>()
  const found = new Map<string, UnnameableType>()
  const export_ = (name: string): void => {
    if (nameable.has(name)) return
    nameable.add(name)
    for (const member of declarations.get(name)?.members?.values() ?? []) export_(member)
  }
  for (const name of [...exported, ...namespaces]) export_(name)

  const walked = new Set<string>()
  const walk = (name: string, usedBy: string): void => {
    if (walked.has(name)) return
    walked.add(name)
    for (const { path, kind } of declarations.get(name)?.references ?? []) {
      const [first = "", second = ""] = path
      const declaration = declarations.get(first)
      if (declaration === undefined) continue
      const isPart = kind === "part" && declaration.isAlias === true && !nameable.has(first)
      if (kind === "value" || isPart) walk(first, usedBy)
      else {
        // `Limits.LimitsOptions` is nameable where `LimitsOptions` is, whatever the name of the module.
        const type = nameable.has(first) ? first : (declaration.members?.get(second) ?? first)
        if (!nameable.has(type)) found.set(type, { type: shown(type), usedBy })
      }
    }
  }
  for (const name of nameable) walk(name, shown(name))
  return [...found.values()].sort((a, b) => (a.type < b.type ? -1 : 1))
}

interface Reference {
  /** `Limits.LimitsOptions` as its two names. */
  readonly path: ReadonlyArray<string>
  readonly kind: "type" | "value" | "part"
}

interface Declaration {
  readonly references: Array<Reference>
  readonly isAlias: boolean
  /** Of a namespace: the declaration behind each member. */
  members?: Map<string, string>
}

interface Report {
  readonly declarations: ReadonlyMap<string, Declaration>
  readonly exported: ReadonlySet<string>
}

const read = (report: string): Report => {
  const text = /```ts\n(.*)```/s.exec(report)?.[1] ?? ""
  const { errors, program } = parseSync("report.d.ts", text)
  if (errors.length > 0) throw new Error(`The API report does not parse: ${errors[0]?.message}`)
  const declarations = new Map<string, Declaration>()
  const exported = new Set<string>()
  for (const statement of program.body) {
    if (statement.type === "ExportNamedDeclaration" && statement.declaration === null) {
      for (const { local } of statement.specifiers) exported.add(nameOf(local))
      continue
    }
    const isExported = statement.type === "ExportNamedDeclaration"
    const declared = isExported ? statement.declaration! : statement
    for (const name of declaredNames(declared as Statement)) {
      // A function has a declaration for each overload, and a constant may share its name with a type.
      const declaration = declarations.get(name) ?? {
        references: [],
        isAlias: declared.type === "TSTypeAliasDeclaration",
      }
      declarations.set(name, declaration)
      if (isExported) exported.add(name)
      if (declared.type === "TSModuleDeclaration") declaration.members = membersOf(declared)
      else declaration.references.push(...referencesOf(declared as Statement))
    }
  }
  return { declarations, exported }
}

const declaredNames = (statement: Statement): ReadonlyArray<string> => {
  if (statement.type === "VariableDeclaration") {
    return statement.declarations.flatMap(({ id }) => (id.type === "Identifier" ? [id.name] : []))
  }
  const id = "id" in statement ? statement.id : null
  return id !== null && id !== undefined && "name" in id && typeof id.name === "string" ? [id.name] : []
}

const membersOf = (declaration: Statement): Map<string, string> => {
  const members = new Map<string, string>()
  visit(declaration, {
    ExportSpecifier: ({ local, exported }) => void members.set(nameOf(exported), nameOf(local)),
  })
  return members
}

const referencesOf = (declaration: Statement): ReadonlyArray<Reference> => {
  const references: Array<Reference> = []
  const add = (node: object, kind: Reference["kind"]) => void references.push({ path: pathOf(node), kind })
  const named = declaration.type === "TSTypeAliasDeclaration" ? "part" : "type"
  visit(declaration, {
    TSTypeReference: ({ typeName }) => add(typeName, named),
    TSInterfaceHeritage: ({ expression }) => add(expression, "part"),
    TSClassImplements: ({ expression }) => add(expression, "type"),
    TSTypeQuery: ({ exprName }) => add(exprName, "value"),
    ClassDeclaration: ({ superClass }) => {
      // The compiler emits the base that a function makes as the constant `Failure_base`.
      if (superClass !== null) add(superClass, pathOf(superClass)[0]?.endsWith("_base") ? "value" : "type")
    },
  })
  return references
}

const visit = (statement: Statement, visitor: VisitorObject): void =>
  new Visitor(visitor).visit({
    type: "Program",
    body: [statement],
    sourceType: "module",
    hashbang: null,
    start: statement.start,
    end: statement.end,
  })

/** The names in `A`, `A.B` or `A.B.C`, as a type, a value or a heritage clause. */
const pathOf = (node: object): ReadonlyArray<string> => {
  if ("name" in node && typeof node.name === "string") return [node.name]
  if ("left" in node && "right" in node) return [...pathOf(node.left as object), ...pathOf(node.right as object)]
  if ("object" in node && "property" in node) {
    return [...pathOf(node.object as object), ...pathOf(node.property as object)]
  }
  return []
}

const nameOf = (name: { readonly name: string } | { readonly value: string }): string =>
  "name" in name ? name.name : name.value

/** Without the number that the extractor appends where names clash. */
const shown = (name: string): string => name.replace(/_\d+$/, "")
