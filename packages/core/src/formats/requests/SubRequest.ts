/** An operation in HTTP form: what a JSON batch is made of. */
import type { HeaderRecord } from "../../batch/Headers.ts"
import type { Template } from "./Reference.ts"

/** A sub-request, decoded; `url` and `body` may still hold references. */
export interface SubRequest {
  /** In upper case. */
  readonly method: string
  /** An absolute path with optional query, checked; with references, the text as it was sent. */
  readonly url: string
  /** The sub-request's own headers, checked, by lower-case name. */
  readonly headers: HeaderRecord
  /** A JSON value; undefined where there is no body. */
  readonly body: unknown
  /** Whether `body` has a member name that only a host's own parser may judge. */
  readonly poisoned: boolean
  /** References in the url; undefined where there are none. */
  readonly urlTemplate: Template | undefined
  /** Whether strings of the body hold references or escapes of them. */
  readonly bodyRefers: boolean
}

/** The reply to a sub-request, as the application gave it. */
export interface Reply {
  readonly status: number
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string>>>
  readonly body: Uint8Array
  /** `body`, decoded as UTF-8. */
  readonly text: string
}

/** Methods that a sub-request may have (RFC 9110, section 9, and RFC 5789). */
export const methods: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])

/** Methods that change nothing (RFC 9110, section 9.2.1): they need not wait for others on the same path. */
export const safeMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"])
