/**
 * HTTP exchanges inside a process over Node's own request and response classes: no socket, no second HTTP stack.
 *
 * @since 0.1.0
 */
export type { ExchangeFailure } from "./ExchangeFailure.ts"
export type { ExchangeReply } from "./ExchangeReply.ts"
export type { ExchangeRequest } from "./ExchangeRequest.ts"
export { type Exchange, type ExchangeOptions, makeExchange } from "./Exchange.ts"
export { isSubRequest } from "./isSubRequest.ts"
export { bytesOf } from "./bytesOf.ts"
export { disconnectSignal as goneSignal } from "./disconnectSignal.ts"
export { nodePlatform } from "./nodePlatform.ts"
export { ExchangeError, send } from "./send.ts"
export { type NodeAnswer, writeAnswer } from "./writeAnswer.ts"
