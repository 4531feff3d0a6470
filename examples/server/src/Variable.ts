/**
 * An environment variable of the server: how it is read, and how `--help` describes it.
 */
export interface Variable<Value> {
  readonly name: string
  /** What it sets, as a sentence without its full stop. */
  readonly meaning: string
  /** Which values are valid, for `--help` and for errors. */
  readonly accepted: string
  /** The value when the variable is not set, as `--help` shows it. */
  readonly defaultText: string
  /** Reads the text of the variable; `undefined` if it is not set. Throws a `ConfigurationError` for a wrong value. */
  readonly read: (text: string | undefined) => Value
}

/** The server cannot start with its environment variables; the message names the variable and says what to change. */
export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError"
}

/** A variable that takes a whole number. */
export const wholeNumber = <Default extends number | undefined>(
  name: string,
  meaning: string,
  range: {
    readonly minimum: number
    readonly maximum: number
    readonly default: Default
    readonly defaultText?: string
  },
): Variable<number | Default> => {
  const accepted = `a whole number from ${range.minimum} to ${range.maximum}`
  return {
    name,
    meaning,
    accepted,
    defaultText: range.defaultText ?? String(range.default),
    read: (text) => {
      if (text === undefined) return range.default
      const number = /^\d+$/.test(text) ? Number(text) : Number.NaN
      if (number >= range.minimum && number <= range.maximum) return number
      throw wrongValue(name, text, accepted)
    },
  }
}

/** A variable that takes one of a few words; the first is its default. */
export const choice = <Word extends string>(
  name: string,
  meaning: string,
  words: readonly [Word, ...ReadonlyArray<Word>],
): Variable<Word> => {
  const optional = optionalChoice(name, meaning, words, words[0])
  return { ...optional, read: (text) => optional.read(text) ?? words[0] }
}

/** A variable that takes one of a few words, and whose default depends on other variables. */
export const optionalChoice = <Word extends string>(
  name: string,
  meaning: string,
  words: ReadonlyArray<Word>,
  defaultText: string,
): Variable<Word | undefined> => {
  const accepted = `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`
  return {
    name,
    meaning,
    accepted,
    defaultText,
    read: (text) => {
      const word = words.find((candidate) => candidate === text)
      if (word === undefined && text !== undefined) throw wrongValue(name, text, accepted)
      return word
    },
  }
}

/** The error for a value that a variable does not accept. */
export const wrongValue = (name: string, value: string, accepted: string): ConfigurationError =>
  new ConfigurationError(`${name}=${value} is not valid: expected ${accepted}`)
