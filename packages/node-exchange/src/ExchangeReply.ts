/** The application's reply to a sub-request. */

/**
 * A reply as a client would receive it.
 *
 * **Details**
 * Header names are in lower case, and the record has no prototype. A header that was sent on several lines is an array;
 * `set-cookie` is always an array. `date`, `connection`, `keep-alive` and `transfer-encoding` are present only if the
 * application set them, because they describe a connection. `body` is empty for HEAD, 204 and 304.
 */
export interface ExchangeReply {
  readonly _tag: "ExchangeReply"
  readonly status: number
  readonly statusMessage: string
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string>>>
  readonly body: Uint8Array
  /** The body as UTF-8 text. Free of cost if the application wrote strings. */
  readonly text: string
  /** Whether the body was dropped because `keep` has refused a part of it. `body` is then empty. */
  readonly truncated: boolean
}

/**
 * @internal
 */
export class CapturedReply implements ExchangeReply {
  readonly _tag = "ExchangeReply"
  readonly status: number
  readonly statusMessage: string
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string>>>
  readonly truncated: boolean
  #chunks: ReadonlyArray<string | Buffer>
  #body: Uint8Array | undefined
  #text: string | undefined

  constructor(
    status: number,
    statusMessage: string,
    headers: Readonly<Record<string, string | ReadonlyArray<string>>>,
    chunks: ReadonlyArray<string | Buffer>,
    truncated: boolean,
  ) {
    this.status = status
    this.statusMessage = statusMessage
    this.headers = headers
    this.#chunks = chunks
    this.truncated = truncated
  }

  get body(): Uint8Array {
    return (this.#body ??= this.#join())
  }

  get text(): string {
    return (this.#text ??= this.#decode())
  }

  #join(): Buffer {
    const [first, second] = this.#chunks
    if (second === undefined) return typeof first === "string" ? Buffer.from(first) : (first ?? Buffer.alloc(0))
    return Buffer.concat(this.#chunks.map((chunk) => (typeof chunk === "string" ? Buffer.from(chunk) : chunk)))
  }

  #decode(): string {
    // On a socket every chunk is encoded on its own, so the halves of a surrogate pair in two writes are not joined.
    if (this.#chunks.every((chunk) => typeof chunk === "string")) {
      return this.#chunks.length === 1
        ? (this.#chunks[0] as string).toWellFormed()
        : this.#chunks.map((chunk) => (chunk as string).toWellFormed()).join("")
    }
    return (this.body as Buffer).toString("utf8")
  }
}
