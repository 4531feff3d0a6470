/** The check of options at start-up. */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { nearestName } from "../platform/nearestName.ts"
import type { AnyOption, AnyOptionGroup, AnyOptionType } from "./Option.ts"
import { isObject } from "./OptionTypes.ts"
import { describeKind, describeValue } from "./describeValue.ts"

/**
 * Throws a `TypeError` if an option has an unknown name or a wrong value, or if a required one is missing.
 *
 * **Details** The message names every such option by its path, such as `limits.deadline`, one per line.
 */
export const checkOptions = (group: AnyOptionGroup, options: unknown): void => {
  const problems = isObject(options)
    ? problemsOfGroup(group, options, "")
    : [`Options must be an object; got ${describeKind(options)}`]
  if (problems.length > 0) throw new TypeError(problems.join("\n"))
}

type Given = Readonly<Record<string, unknown>>

const problemsOfGroup = (group: AnyOptionGroup, given: Given, path: string): ReadonlyArray<string> => {
  const unknown = Object.keys(given).filter((name) => !Object.hasOwn(group, name))
  return [
    ...unknown.map((name) => unknownOption(group, name, path)),
    ...Object.entries(group).flatMap(([name, option]) => problemsOfOption(option, given[name], `${path}${name}`)),
  ]
}

const problemsOfOption = ({ type, required }: AnyOption, value: unknown, path: string): ReadonlyArray<string> => {
  if (value === undefined) return required === true ? [`"${path}" is required: it must be ${type.expected}`] : []
  if (!accepts(type, value)) return [wrongValue(type, value, path)]
  const { members, items } = type
  if (members !== undefined) return problemsOfGroup(members, value as Given, `${path}.`)
  if (items === undefined) return []
  return (value as ReadonlyArray<unknown>).flatMap((item, index) => {
    const place = `${path}[${index}]`
    return isObject(item)
      ? problemsOfGroup(items, item, `${place}.`)
      : [`"${place}" must be an object of options; got ${describeKind(item)}`]
  })
}

// Unlike `Schema.is`, decoding can refuse members that a schema does not know.
const accepts = ({ schema }: AnyOptionType, value: unknown): boolean =>
  Option.isSome(Schema.decodeUnknownOption(schema, { onExcessProperty: "error" })(value))

const wrongValue = (type: AnyOptionType, value: unknown, path: string): string => {
  const hint = type.hint?.(value)
  const got = type.isPrivate === true ? describeKind(value) : describeValue(value)
  return `"${path}" must be ${type.expected}; got ${got}${hint === undefined ? "" : `. ${hint}`}`
}

const unknownOption = (group: AnyOptionGroup, name: string, path: string): string => {
  const known = Object.keys(group)
  // The group that an option such as "deadline" belongs to, if it was put one level too high.
  const owner = known.find((other) => Object.hasOwn(group[other]?.type.members ?? {}, name))
  const meant = nearestName(name, known) ?? (owner === undefined ? undefined : `${owner}.${name}`)
  return meant === undefined
    ? `Unknown option "${path}${name}". The known options are: ${known.join(", ")}`
    : `Unknown option "${path}${name}". Did you mean "${path}${meant}"?`
}
