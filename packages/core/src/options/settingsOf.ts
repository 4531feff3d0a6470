import { type DurationInput, toMillis } from "./DurationInput.ts"
import type { AnyOption, OptionGroup, SettingsOf } from "./Option.ts"

/**
 * Makes settings of options that were checked: fills in defaults and turns each duration `ttl` into milliseconds, `ttlMs`.
 */
export const settingsOf = <Options extends object, Group extends OptionGroup<Options>>(
  group: Group,
  options: Options,
): SettingsOf<Options, Group> => {
  const given = options as Readonly<Record<string, unknown>>
  const settings = Object.entries<AnyOption>(group).map(([name, option]) => {
    const value = given[name] ?? option.default
    if (option.type.isDuration !== true) return [name, value]
    return [`${name}Ms`, value === undefined ? undefined : toMillis(value as DurationInput)]
  })
  return Object.fromEntries(settings) as SettingsOf<Options, Group>
}
