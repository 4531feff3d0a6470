/** What the client prefers: the `Prefer` header (RFC 7240). Preferences that are not known are passed over. */
import type { HeadersInit } from "../domain/HeaderRules.ts"
import type { ReturnPreference } from "../ports/Codec.ts"

/**
 * Reads the preference `return`; the first one counts (section 2).
 *
 * @category getters
 * @since 0.1.0
 */
export const returnPreference = ({ prefer }: HeadersInit): ReturnPreference | undefined => {
  const text = typeof prefer === "string" ? prefer : (prefer?.join(",") ?? "")
  const value = /(?:^|[,;\s])return\s*=\s*"?([a-z]+)"?/i.exec(text)?.[1]?.toLowerCase()
  return value === "minimal" || value === "representation" ? value : undefined
}
