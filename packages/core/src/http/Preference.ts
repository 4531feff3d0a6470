/** The client's preferences: the `Prefer` header (RFC 7240). Unknown preferences are ignored. */
import type { HeadersInput } from "../batch/Headers.ts"
import type { ReturnPreference } from "../batch/Codec.ts"

/** Reads the preference `return` (RFC 7240, section 4.2); undefined without one. The first one counts (section 2). */
export const returnPreference = (headers: HeadersInput): ReturnPreference | undefined => {
  const value = /(?:^|[,;\s])return\s*=\s*"?([a-z]+)"?/i.exec(textOf(headers))?.[1]?.toLowerCase()
  return value === "minimal" || value === "representation" ? value : undefined
}

/** Whether the client prefers an asynchronous response (section 4.1). */
export const respondAsync = (headers: HeadersInput): boolean =>
  /(?:^|,)\s*respond-async\s*(?:$|[,;])/i.test(textOf(headers))

/** Reads how many seconds the client is willing to wait (section 4.3); undefined without a preference. */
export const wait = (headers: HeadersInput): number | undefined => {
  const value = /(?:^|[,;\s])wait\s*=\s*"?(\d{1,9})"?/i.exec(textOf(headers))?.[1]
  return value === undefined ? undefined : Number(value)
}

const textOf = ({ prefer }: HeadersInput): string => (typeof prefer === "string" ? prefer : (prefer?.join(",") ?? ""))
