/** The kinds of values that options take. */
import * as Schema from "effect/Schema"
import type { AnyOptionGroup, OptionGroup, OptionType } from "./Option.ts"

/** Whole numbers between two bounds, both included. Default: from 1 on. */
export const wholeNumber = ({ minimum = 1, maximum = Number.MAX_SAFE_INTEGER } = {}): OptionType<number> => ({
  schema: Schema.Int.check(Schema.isBetween({ minimum, maximum })),
  name: "number",
  expected:
    maximum === Number.MAX_SAFE_INTEGER
      ? `a whole number of at least ${minimum}`
      : `a whole number between ${minimum} and ${maximum}`,
})

/** Numbers greater than `above` and at most `maximum`. */
export const numberAbove = (above: number, maximum = Number.MAX_VALUE): OptionType<number> => ({
  schema: Schema.Finite.check(Schema.isGreaterThan(above), Schema.isLessThanOrEqualTo(maximum)),
  name: "number",
  expected: `a number greater than ${above}${maximum === Number.MAX_VALUE ? "" : ` and at most ${maximum}`}`,
})

/** `true` or `false`. */
export const flag: OptionType<boolean> = { schema: Schema.Boolean, name: "boolean", expected: "true or false" }

/** Texts that match a pattern. Default: all texts but the empty one. */
export const text = (expected = "a non-empty string", pattern = /^.+$/s): OptionType<string> => ({
  schema: Schema.String.check(Schema.isPattern(pattern)),
  name: "string",
  expected,
})

/** One of several texts. */
export const oneOf = <const Value extends string>(...values: ReadonlyArray<Value>): OptionType<Value> => {
  const names = values.map((value) => JSON.stringify(value))
  return { schema: Schema.Literals(values), name: names.join(" | "), expected: listed(names, "or") }
}

/** Functions. Only the compiler checks their parameters. */
export const anyFunction = <Value extends (...input: Array<never>) => unknown>(): OptionType<Value> => ({
  schema: Schema.declare((value): value is Value => typeof value === "function"),
  name: "function",
  expected: "a function",
  isPrivate: true,
})

/** Objects that have these methods. They may have other members, too. `name` is the name of their type. */
export const objectWith = <Value extends object>(
  name: string,
  methods: ReadonlyArray<keyof Value & string>,
  hint?: (value: unknown) => string | undefined,
): OptionType<Value> => ({
  schema: Schema.declare(
    (value): value is Value => isObject(value) && methods.every((method) => isMethod(value, method)),
  ),
  name,
  expected: `an object with the ${methods.length === 1 ? "method" : "methods"} ${listed(methods, "and")}`,
  hint,
  isPrivate: true,
})

/** Lists of values of one type. `expected` describes a list, with an example. */
export const listOf = <Value>(item: OptionType<Value>, expected: string): OptionType<ReadonlyArray<Value>> => ({
  schema: Schema.Array(item.schema),
  name: `list of ${item.name}`,
  expected,
  isPrivate: item.isPrivate,
})

/** Values of either type. */
export const either = <Left, Right>(left: OptionType<Left>, right: OptionType<Right>): OptionType<Left | Right> => ({
  schema: Schema.Union([left.schema, right.schema]),
  name: `${left.name} | ${right.name}`,
  expected: `${left.expected.replaceAll(" or ", ", ")} or ${right.expected}`,
  isPrivate: left.isPrivate === true && right.isPrivate === true,
})

/** Objects whose members are options with definitions of their own. */
export const group = <Options extends object>(members: OptionGroup<Options>): OptionType<Options> => ({
  schema: Schema.declare((value): value is Options => isObject(value)),
  name: "object",
  expected: "an object of options",
  isPrivate: true,
  members: members as unknown as AnyOptionGroup,
})

/** Lists of at least one object whose members are options with definitions of their own. */
export const listOfGroups = <Options extends object>(
  items: OptionGroup<Options>,
): OptionType<ReadonlyArray<Options>> => ({
  schema: Schema.declare((value): value is ReadonlyArray<Options> => Array.isArray(value) && value.length > 0),
  name: "list of objects",
  expected: "a list of at least one object of options",
  isPrivate: true,
  items: items as unknown as AnyOptionGroup,
})

/** Whether a value is an object, and no array. */
export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Whether an object has a method of this name. */
export const isMethod = (object: Readonly<Record<string, unknown>>, name: string): boolean =>
  typeof object[name] === "function"

const listed = (words: ReadonlyArray<string>, conjunction: "and" | "or"): string =>
  words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} ${conjunction} ${words.at(-1)}`
