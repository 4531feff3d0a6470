/** Header fields of requests and responses. */

/** Header values by lower-case name. */
export type HeaderRecord = Readonly<Record<string, string>>

/** Headers as frameworks provide them: by lower-case name, possibly several values each. */
export type HeadersInput = Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
