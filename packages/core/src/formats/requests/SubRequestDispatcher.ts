/** Runs sub-requests through the host application: resolves references, merges headers, sends the request. */
import * as Result from "effect/Result"
import { type Failure, failure } from "../../batch/Failure.ts"
import type { HeaderRecord, HeadersInput } from "../../batch/Headers.ts"
import * as HeaderRules from "../../http/HeaderRules.ts"
import * as Limits from "../../batch/Limits.ts"
import type { Operation } from "../../batch/Operation.ts"
import { OperationResult } from "../../batch/OperationResult.ts"
import { yieldToEventLoop } from "../../platform/yieldToEventLoop.ts"
import * as HostBody from "./HostBody.ts"
import { ReferencedReplies } from "./ReferencedReplies.ts"
import { resolve, type ResolvedRequest } from "./ReferenceResolver.ts"
import { ResponseRoom, type ResponseShare } from "./ResponseRoom.ts"
import type { Reply, SubRequest } from "./SubRequest.ts"
import * as SubResponse from "./SubResponse.ts"
import * as RequestTarget from "../../http/RequestTarget.ts"
import type { BatchContext } from "../../batch/BatchContext.ts"
import type { CallContext, Dispatcher } from "../../batch/Dispatcher.ts"

/** A sub-request as the host application receives it. */
export interface HostRequest {
  readonly method: string
  /** A checked absolute path with an optional query. */
  readonly url: string
  /** Inherited and own headers, by lower-case name, without `host` and `content-length`. */
  readonly headers: HeaderRecord
  /** Text in UTF-8, or the bytes that the client has sent as base64; undefined without a body. */
  readonly body: string | Uint8Array | undefined
  /** The parsed JSON value of `body`, if the host may get it parsed; undefined otherwise. */
  readonly json: unknown
  /**
   * Asks before the next bytes of the reply's body are kept. Once it returns false, the response of the batch has no room for
   * them: the rest is read and dropped, and the reply is `truncated`.
   */
  readonly keep: (bytes: number) => boolean
}

/**
 * Sends a sub-request through the host's own routing, without a socket. Rejects only if there is no reply. Aborting the call
 * must have the effect of a disconnected client.
 */
export type Send = (request: HostRequest, call: CallContext, batch: BatchContext) => PromiseLike<Reply>

/** How sub-requests are sent to the host application. */
export interface SubRequestsOptions extends SubResponse.SubResponseOptions {
  readonly send: Send
  readonly rules: HeaderRules.HeaderRules
  /** Whether a route writes through the current transaction. Inside atomicity groups, other routes are refused. Default: all. */
  readonly requireTransaction?: ((request: { readonly method: string; readonly url: string }) => boolean) | undefined
  /** Default: those of an endpoint that configures none. */
  readonly limits?: Pick<Limits.Limits, "bodyBytes" | "headerBytes" | "operationBytes" | "responseBytes"> | undefined
}

/** Creates the dispatcher of one JSON batch to the host application. */
export const make = (
  { send, rules, requireTransaction, limits = Limits.defaults, ...shown }: SubRequestsOptions,
  batch: BatchContext,
): Dispatcher<SubRequest> => {
  const inherited = rules.inherit(batch.headers)
  const show = SubResponse.replyView(shown)
  const replies = new ReferencedReplies(show, limits.bodyBytes)
  const resolving = { replies, operationBytes: limits.operationBytes, host: hostOf(batch.headers) }
  const room = new ResponseRoom(limits.responseBytes)
  const shares = new Map<Operation, ResponseShare>()
  return {
    coalesces: () => false,
    run: (operation, call) => {
      const resolved = resolve(operation, resolving)
      if (Result.isFailure(resolved)) return resolved.failure
      const request = resolved.success
      if (call.atomic && requireTransaction?.(request) === false) return notTransactional(request)
      const headers = Object.assign(Object.create(null), inherited, request.headers) as Record<string, string>
      const tooLarge = HeaderRules.tooLarge(request.url, headers, limits.headerBytes)
      if (tooLarge !== undefined) return OperationResult.refused(failure("HEADERS_TOO_LARGE", tooLarge))
      const content = toContent(request, headers)
      if (Result.isFailure(content)) return OperationResult.refused(content.failure)
      // A transaction that is tried again runs its operations again.
      shares.get(operation)?.release()
      const share = room.share()
      shares.set(operation, share)
      replies.sent(operation, request.url)
      const { method, url } = request
      const sending = send({ method, url, headers, ...content.success, keep: share.keep }, call, batch)
      return settle(sending, share, (reply) => SubResponse.byteLength(operation.id, show(reply)))
    },
  }
}

const hostOf = (headers: HeadersInput): string | undefined => {
  const host = headers["host"] ?? headers[":authority"]
  return typeof host === "string" ? host : host?.[0]
}

const notTransactional = ({ method, url }: ResolvedRequest): OperationResult =>
  OperationResult.refused(
    failure(
      "INVALID_REQUEST",
      `${method} ${RequestTarget.pathOf(url)} does not support transactions: send it outside of an atomicity group`,
    ),
  )

const toContent = (
  { text, value }: ResolvedRequest,
  headers: Record<string, string>,
): Result.Result<Pick<HostRequest, "body" | "json">, Failure> => {
  if (text === undefined) return Result.succeed({ body: undefined, json: undefined })
  const form = HostBody.formOf(headers)
  headers["content-type"] ??= "application/json"
  if (form === "json") return Result.succeed({ body: text, json: value })
  const content = JSON.parse(text) as unknown
  return Result.mapBoth(HostBody.check(content, headers), {
    onSuccess: () => ({ body: HostBody.make(content as string, form), json: undefined }),
    onFailure: (message) => failure("INVALID_REQUEST", message, { field: "body" }),
  })
}

/** Characters from which the event loop serves others before a reply is encoded. */
const largeReply = 64 * 1024

const settle = async (
  sending: PromiseLike<Reply>,
  share: ResponseShare,
  measure: (reply: Reply) => number,
): Promise<OperationResult> => {
  try {
    const reply = await sending
    const isKept = reply.truncated !== true && share.fits
    if (isKept && share.takenBytes > largeReply) await new Promise<void>(yieldToEventLoop)
    if (isKept && share.resize(measure(reply))) return OperationResult.replied(reply.status, reply)
    share.release()
    return OperationResult.replied(reply.status, truncated(reply))
  } catch (error) {
    share.release()
    throw error
  }
}

const noBytes = new Uint8Array()

const truncated = ({ status, headers }: Reply): Reply => ({ status, headers, body: noBytes, text: "", truncated: true })
