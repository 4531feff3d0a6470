/** Runs sub-requests through the host application: resolves references, merges headers, sends the request. */
import * as Result from "effect/Result"
import { failure } from "../../batch/Failure.ts"
import type { HeaderRecord } from "../../batch/Headers.ts"
import type { HeaderRules } from "../../http/HeaderRules.ts"
import * as Limits from "../../batch/Limits.ts"
import { OperationResult } from "../../batch/OperationResult.ts"
import { isJsonType } from "../../http/MediaType.ts"
import { ReplyCache, resolve, type ResolvedRequest } from "./ReferenceResolver.ts"
import type { Reply, SubRequest } from "./SubRequest.ts"
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
  readonly body: string | undefined
  /** The parsed JSON value of `body`, if the host may get it parsed; undefined otherwise. */
  readonly json: unknown
}

/**
 * Sends a sub-request through the host's own routing, without a socket. Rejects only if there is no reply. Aborting the call
 * must have the effect of a disconnected client.
 */
export type Send = (request: HostRequest, call: CallContext, batch: BatchContext) => PromiseLike<Reply>

/** How sub-requests are sent to the host application. */
export interface SubRequestsOptions {
  readonly send: Send
  readonly rules: HeaderRules
  /** Whether a route writes through the current transaction. Inside atomicity groups, other routes are refused. Default: all. */
  readonly requireTransaction?: ((request: { readonly method: string; readonly url: string }) => boolean) | undefined
  /** Maximum bytes of the values that references bring into one request. Default: the limit of one operation, 1 MiB. */
  readonly operationBytes?: number | undefined
}

/** Creates the dispatcher of one JSON batch to the host application. */
export const make = (
  { send, rules, requireTransaction, operationBytes = Limits.defaults.operationBytes }: SubRequestsOptions,
  batch: BatchContext,
): Dispatcher<SubRequest> => {
  const inherited = rules.inherit(batch.headers)
  const replies = new ReplyCache()
  return {
    coalesces: () => false,
    run: (operation, call) => {
      const resolved = resolve(operation, replies, operationBytes)
      if (Result.isFailure(resolved)) return resolved.failure
      const request = resolved.success
      if (call.atomic && requireTransaction?.(request) === false) return notTransactional(request)
      return send(toHostRequest(request, inherited), call, batch).then(toResult)
    },
  }
}

const notTransactional = ({ method, url }: ResolvedRequest): OperationResult =>
  OperationResult.refused(
    failure(
      "INVALID_REQUEST",
      `${method} ${RequestTarget.pathOf(url)} does not support transactions: send it outside of an atomicity group`,
    ),
  )

const toResult = (reply: Reply): OperationResult => OperationResult.replied(reply.status, reply)

const toHostRequest = (
  { method, url, headers: own, body, poisoned }: ResolvedRequest,
  inherited: HeaderRecord,
): HostRequest => {
  const headers = Object.assign(Object.create(null), inherited, own) as Record<string, string>
  if (body === undefined) return { method, url, headers, body: undefined, json: undefined }
  const type = own["content-type"]
  if (type === undefined) headers["content-type"] = "application/json"
  const isText = typeof body === "string" && type !== undefined && !isJsonType(type)
  if (isText) return { method, url, headers, body, json: undefined }
  return { method, url, headers, body: JSON.stringify(body), json: poisoned ? undefined : body }
}
