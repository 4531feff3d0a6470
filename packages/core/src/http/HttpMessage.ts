/** HTTP messages independent of frameworks: adapters convert requests to them, and responses from them. */
import type { HeadersInput } from "../batch/Headers.ts"

/** The body of a request: bytes that are still to be read, or a value that the host has parsed. */
export type HttpBody =
  | {
      readonly _tag: "Stream"
      /** The bytes as they arrive. If the iteration ends early, the connection must still be able to send the response. */
      readonly bytes: AsyncIterable<Uint8Array>
    }
  | { readonly _tag: "Parsed"; readonly value: unknown }

/** A request to a batch endpoint. */
export interface HttpRequest {
  readonly method: string
  /**
   * The URL as the client sent it. Its path keeps the idempotency keys of different endpoints apart; if undefined, the name
   * of the endpoint does.
   */
  readonly url?: string | undefined
  /** The pattern that the endpoint is mounted at, such as `/{org}/batch`, if the framework knows it. */
  readonly route?: string | undefined
  /** Headers by lower-case name. */
  readonly headers: HeadersInput
  readonly body: HttpBody
  /** Whether this request is itself a sub-request of a batch. Must not depend on anything that a client can send. */
  readonly isSubRequest: boolean
  /** Aborts when the client disconnects. */
  readonly signal: AbortSignal
  /** The framework's own request object, for tenant functions and actions. */
  readonly raw: unknown
}

/** The response of a batch endpoint. */
export interface HttpResponse {
  readonly status: number
  /** Headers by lower-case name. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** Text to send after `body`, as it is produced; ends when the client disconnects. Undefined if there is none. */
  readonly stream?: AsyncIterable<string> | undefined
  /** Whether to close the connection: part of the request's body was not read. */
  readonly close: boolean
}
