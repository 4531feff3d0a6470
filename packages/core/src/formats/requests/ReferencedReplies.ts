/** The responses of one batch as references read them. */
import type { Operation } from "../../batch/Operation.ts"
import * as Problem from "../../http/Problem.ts"
import { JsonText } from "../../batch/JsonText.ts"
import type { Reply, SubRequest } from "./SubRequest.ts"
import type { ShowReply } from "./SubResponse.ts"

/** The responses of one batch. Each is read once, and a budget bounds the bytes that references copy. */
export class ReferencedReplies {
  /** Maximum bytes that all references of the batch copy. */
  readonly maximumBytes: number
  private remainingBytes: number
  private readonly show: ShowReply
  private readonly roots = new Map<Operation, JsonText | undefined>()
  private readonly urls = new Map<Operation, string>()

  constructor(show: ShowReply, maximumBytes: number) {
    this.show = show
    this.maximumBytes = maximumBytes
    this.remainingBytes = maximumBytes
  }

  /** Takes bytes from the budget. Returns false if it does not have them. */
  take(bytes: number): boolean {
    if (bytes > this.remainingBytes) return false
    this.remainingBytes -= bytes
    return true
  }

  /** Remembers the URL that an operation was sent to. */
  sent(operation: Operation, url: string): void {
    this.urls.set(operation, url)
  }

  /** Returns the URL that an operation was sent to, or as it was written if a stored result was replayed. */
  urlOf(operation: Operation): string {
    return this.urls.get(operation) ?? (operation.input as SubRequest).url
  }

  /** Returns the value `{ status, headers, body }` that the response shows; undefined if the response was left out. */
  rootOf(operation: Operation): JsonText | undefined {
    if (!this.roots.has(operation)) this.roots.set(operation, this.read(operation))
    return this.roots.get(operation)
  }

  private read({ result }: Operation): JsonText | undefined {
    if (result!.failure !== undefined)
      return rootOf(result!.status, {}, JSON.stringify(Problem.ofFailure(result!.failure)))
    const reply = result!.value as Reply
    if (reply.truncated === true) return undefined
    const { status, headers, body } = this.show(reply)
    return rootOf(status, headers, body)
  }
}

const rootOf = (status: number, headers: Readonly<Record<string, string>>, body: string): JsonText => {
  const lowered = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
  return new JsonText(`{"status":${status},"headers":${JSON.stringify(lowered)},"body":${body}}`)
}
