/** Sub-requests: operations in HTTP form, which JSON batches consist of. */
import type { HeaderRecord } from "../../batch/Headers.ts"
import type { Template } from "./Reference.ts"

/** A decoded sub-request; `url`, values of `headers`, and `body` may contain references. */
export interface SubRequest {
  /** In upper case. */
  readonly method: string
  /** A checked absolute path with an optional query; with references, the text as it was sent. */
  readonly url: string
  /** The sub-request's own headers, checked, by lower-case name. */
  readonly headers: HeaderRecord
  /** A JSON value; undefined without a body. */
  readonly body: unknown
  /** The text of `body` as the client wrote it; undefined if printing `body` changes no number. */
  readonly bodyText: string | undefined
  /** Whether `body` has member names that could poison a prototype; the host's own parser has to decide about them. */
  readonly poisoned: boolean
  /** The URL, split at its references; undefined if it has none. */
  readonly urlTemplate: Template | undefined
  /** The values of headers that have references or escapes, by name, split at their references; undefined without any. */
  readonly headerTemplates: ReadonlyMap<string, Template> | undefined
  /** Whether strings of the body contain references or escapes. */
  readonly bodyHasReferences: boolean
}

/** The reply to a sub-request, as the application sent it. */
export interface Reply {
  readonly status: number
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string>>>
  readonly body: Uint8Array
  /** `body`, decoded as UTF-8. */
  readonly text: string
  /** False if the reply is a replay whose body was too large to be stored; `body` says so. */
  readonly isBodyKept?: false | undefined
  /** Whether the body was not kept, because the response of the batch has no room for it. `body` is then empty. */
  readonly truncated?: boolean | undefined
}

/** Methods that a sub-request may have (RFC 9110, section 9, and RFC 5789). */
export const methods: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])

/** Safe methods (RFC 9110, section 9.2.1). They change nothing. */
export const safeMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"])
