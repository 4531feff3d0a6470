/** One option as `docs/options.md` shows it: its definition, and the docstring of its interface. */
import { join } from "node:path"
import type { AnyOption, AnyOptionGroup } from "../../packages/core/src/options/Option.ts"
import { firstSentence, memberDocs } from "./InterfaceDocs.ts"
import { interfaces } from "./OptionSections.ts"

/** One option. */
export interface OptionRow {
  /** The option's path: `limits.deadline`. */
  readonly path: string
  readonly type: string
  readonly default: string
  readonly unit: string
  /** The first sentence of the docstring. */
  readonly description: string
  readonly page: string
  readonly docstring: string
  /** The sentence of the docstring that says what the default is. */
  readonly defaultSentence: string
}

/**
 * The rows of a group of options, with the members of groups below it.
 *
 * **Details** `linkTo` returns a link to the section of a group that has a section of its own, and undefined for others.
 */
export const rowsOf = (
  group: AnyOptionGroup,
  path: string,
  linkTo: (group: AnyOptionGroup) => string | undefined,
): ReadonlyArray<OptionRow> => {
  const docs = docsOf(group)
  return Object.entries(group).flatMap(([name, option]) => {
    const { members, items } = option.type
    const link = members && linkTo(members)
    const row = toRow(`${path}${name}`, option, docs.get(name) ?? "", link)
    if (items !== undefined) return [row, ...rowsOf(items, `${path}${name}[].`, linkTo)]
    return members === undefined || link !== undefined ? [row] : [row, ...rowsOf(members, `${path}${name}.`, linkTo)]
  })
}

/** Text as code. */
export const code = (text: string): string => `\`${text}\``

const core = join(import.meta.dirname, "../../packages/core/src")

const docsOf = (group: AnyOptionGroup): ReadonlyMap<string, string> => {
  const sources = interfaces.get(group)
  if (sources === undefined) throw new Error(`No interface is known for the options ${Object.keys(group).join(", ")}`)
  return new Map(sources.flatMap(([file, name]) => [...memberDocs(join(core, file), name)]))
}

const toRow = (path: string, option: AnyOption, docstring: string, link: string | undefined): OptionRow => {
  const { required, type, defaultText, unit = type.isDuration === true ? "ms" : "", page } = option
  const value = defaultOf(option)
  return {
    path,
    type: link ?? code(type.name),
    default: value,
    unit,
    description: firstSentence(docstring),
    page,
    docstring,
    defaultSentence: required === true ? "Required." : `Default${defaultText === undefined ? "" : ":"} ${value}.`,
  }
}

const defaultOf = ({ required, default: value, defaultText, unit }: AnyOption): string => {
  if (required === true) return "required"
  if (defaultText !== undefined) return defaultText
  if (value === undefined) return "none"
  if (typeof value !== "number") return code(JSON.stringify(value))
  return unit === "bytes" ? bytes(value) : value.toLocaleString("en")
}

const bytes = (value: number): string => {
  const units = ["bytes", "KiB", "MiB", "GiB"]
  const power = Math.min(units.length - 1, Math.floor(Math.log2(value) / 10))
  return `${value / 1024 ** power} ${units[power]}`
}
