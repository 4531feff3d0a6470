/** HTTP as the edge sees it: what every adapter converts its framework's requests to, and responses from. */
import type { HeadersInput } from "../batch/Headers.ts"

/** A body that is still to be read, or one that the host has parsed already. */
export type HttpBody =
  | {
      readonly _tag: "Stream"
      /** The bytes as they arrive. Ending the iteration early must leave the connection usable for the answer. */
      readonly bytes: AsyncIterable<Uint8Array>
    }
  | { readonly _tag: "Parsed"; readonly value: unknown }

/** A request to a batch endpoint, in no framework's terms. */
export interface HttpRequest {
  readonly method: string
  /** The url as the client sent it: keys of endpoints at unlike paths are kept apart. Without it the name of the endpoint does. */
  readonly url?: string | undefined
  /** By lower-case name. */
  readonly headers: HeadersInput
  readonly body: HttpBody
  /** Whether this request is itself a sub-request of a batch, by a mark that no header can set. */
  readonly isSubRequest: boolean
  /** Fires when the client has gone away. */
  readonly signal: AbortSignal
  /** The framework's own request: what tenant functions and actions are given. */
  readonly raw: unknown
}

/** The answer of a batch endpoint, in no framework's terms. */
export interface HttpResponse {
  readonly status: number
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** What follows `body` as it comes; ends when the client goes away. Undefined for nothing. */
  readonly stream?: AsyncIterable<string> | undefined
  /** Whether part of the request's body was left unread: the connection cannot be used again. */
  readonly close: boolean
}
