/** Media types (RFC 9110, section 8.3.1). */

/** Whether a content type is JSON: `application/json`, or a type that ends in `+json`, such as `application/problem+json`. */
export const isJsonType = (contentType: string): boolean =>
  /^[!#$%&'*+.^_`|~\w-]+\/(?:[!#$%&'*+.^_`|~\w-]+\+)?json\s*(?:;|$)/i.test(contentType.trim())
