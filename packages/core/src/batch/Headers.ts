/** Header fields of requests and responses. */

/** Lower-case names to values. @category models @since 0.1.0 */
export type Headers = Readonly<Record<string, string>>

/** Headers as frameworks have them: lower-case names, several values possible. @category models @since 0.1.0 */
export type HeadersInput = Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
