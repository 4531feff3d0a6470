/** What header names and values may consist of, in both directions. */

/**
 * A header's name (RFC 9110 §5.6.2).
 *
 * @internal
 */
export const token = /^[\^_`a-zA-Z\-0-9!#$%&'*+.|~]+$/

/**
 * A character that no header's value may have: Node's own rule, strict form.
 *
 * @internal
 */
export const forbidden = /[^\t\x20-\x7e\x80-\xff]/
