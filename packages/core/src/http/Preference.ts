/** What the client prefers: the `Prefer` header (RFC 7240). Preferences that are not known are passed over. */
import type { HeadersInput } from "../batch/Headers.ts"
import type { ReturnPreference } from "../batch/Codec.ts"

/** Reads the preference `return` (RFC 7240, section 4.2); the first one counts (section 2). */
export const returnPreference = (headers: HeadersInput): ReturnPreference | undefined => {
  const value = /(?:^|[,;\s])return\s*=\s*"?([a-z]+)"?/i.exec(textOf(headers))?.[1]?.toLowerCase()
  return value === "minimal" || value === "representation" ? value : undefined
}

/** Whether the client prefers not to wait for the answer (section 4.1). */
export const respondAsync = (headers: HeadersInput): boolean =>
  /(?:^|,)\s*respond-async\s*(?:$|[,;])/i.test(textOf(headers))

/** Seconds that the client is ready to wait (section 4.3); undefined where it does not say. */
export const wait = (headers: HeadersInput): number | undefined => {
  const value = /(?:^|[,;\s])wait\s*=\s*"?(\d{1,9})"?/i.exec(textOf(headers))?.[1]
  return value === undefined ? undefined : Number(value)
}

const textOf = ({ prefer }: HeadersInput): string => (typeof prefer === "string" ? prefer : (prefer?.join(",") ?? ""))
