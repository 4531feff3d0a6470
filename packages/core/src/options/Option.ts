/**
 * Definitions of options. Each option is defined once: its check, its default, its setting and its row in
 * `docs/options.md` follow from the definition.
 *
 * A group of options is an interface, which users see in their editor, and an object with the definition of each member:
 *
 * ```ts
 * export interface LimitsOptions {
 *   readonly operations?: number | undefined
 * }
 *
 * export const limitsOptions = {
 *   operations: { type: wholeNumber(), default: 1_000, unit: "operations", page: "limits.md" },
 * } satisfies OptionGroup<LimitsOptions>
 * ```
 *
 * `satisfies` lets the compiler compare the two: names, types, and which options are required.
 */
import type * as Schema from "effect/Schema"

/** A kind of value that options take, without its type parameter. */
export interface AnyOptionType {
  readonly schema: Schema.Decoder<unknown>
  /** Name of the type in the table of options: `number`. */
  readonly name: string
  /** Completes the message `"limits.depth" must be …`. */
  readonly expected: string
  /** Says how to correct a wrong value, as a second sentence of the message. */
  readonly hint?: ((value: unknown) => string | undefined) | undefined
  /** Whether messages must not show a wrong value, because it could hold a password. Default false. */
  readonly isPrivate?: boolean | undefined
  /** Whether the value is a duration, which settings hold in milliseconds. Default false. */
  readonly isDuration?: boolean | undefined
  /** Definitions of the members, if the value is a group of options. */
  readonly members?: AnyOptionGroup | undefined
  /** Definitions of the members of each item, if the value is a list of groups. */
  readonly items?: AnyOptionGroup | undefined
}

/** A kind of value that options take. The schema accepts the values of the type `Value` and no others. */
export interface OptionType<in out Value> extends AnyOptionType {
  readonly schema: Schema.Decoder<Value>
}

/** The definition of an option, without its type parameter. */
export interface AnyOption {
  readonly type: AnyOptionType
  /** Whether the option has to be given. Default false. */
  readonly required?: boolean
  /** The value of an option that is not given. Default: undefined. */
  readonly default?: unknown
  /** Describes a default that is computed, for the table of options: `the name of the resource`. */
  readonly defaultText?: string
  /** What a number counts: `operations`, `bytes`. */
  readonly unit?: string
  /** The page in `docs` that explains the option. */
  readonly page: string
}

/** Definitions of options by name, without the type parameter. */
export type AnyOptionGroup = Readonly<Record<string, AnyOption>>

/** Definitions of all options of an interface. */
export type OptionGroup<Options> = {
  readonly [Name in keyof Options]-?: {} extends Pick<Options, Name>
    ? OptionalOption<Exclude<Options[Name], undefined>>
    : RequiredOption<Options[Name]>
}

/** The definition of an option that may be left out. */
export interface OptionalOption<Value> extends AnyOption {
  readonly type: OptionType<Value>
  readonly required?: never
  readonly default?: Value
}

/** The definition of an option that has to be given. */
export interface RequiredOption<Value> extends AnyOption {
  readonly type: OptionType<Value>
  readonly required: true
  readonly default?: never
}

/** Options after `settingsOf`: defaults are filled in, and a duration `ttl` has become the milliseconds `ttlMs`. */
export type SettingsOf<Options, Group extends OptionGroup<Options>> = {
  readonly [Name in keyof Options & string as SettingName<Name, Group[Name]>]-?: SettingValue<
    Options,
    Name,
    Group[Name]
  >
}

type SettingName<Name extends string, Definition> = Definition extends OfDuration ? `${Name}Ms` : Name

type SettingValue<Options, Name extends keyof Options, Definition> =
  | (Definition extends OfDuration ? number : Exclude<Options[Name], undefined>)
  | (Definition extends { readonly required: true } | { readonly default: unknown } ? never : undefined)

type OfDuration = { readonly type: { readonly isDuration: true } }
