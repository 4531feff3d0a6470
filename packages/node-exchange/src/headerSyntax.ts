/** Syntax of header names and values, for requests and responses. */

/**
 * Matches a valid header name: a token of RFC 9110 §5.6.2.
 *
 * @internal
 */
export const token = /^[\^_`a-zA-Z\-0-9!#$%&'*+.|~]+$/

/**
 * Matches a character that is forbidden in a header value. It is the strict form of Node's own rule.
 *
 * @internal
 */
export const forbidden = /[^\t\x20-\x7e\x80-\xff]/
