/** Header fields of requests and responses. */

/** Lower-case names to values. */
export type Headers = Readonly<Record<string, string>>

/** Headers as frameworks have them: lower-case names, several values possible. */
export type HeadersInput = Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
