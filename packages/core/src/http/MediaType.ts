/** Media types (RFC 9110, section 8.3.1). */

/** Whether a media type is JSON: `application/json`, `application/problem+json`, and others that end in `+json`. */
export const isJsonType = (contentType: string): boolean =>
  /^[!#$%&'*+.^_`|~\w-]+\/(?:[!#$%&'*+.^_`|~\w-]+\+)?json\s*(?:;|$)/i.test(contentType.trim())
