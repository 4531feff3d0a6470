/** In-process HTTP exchanges over Node's own request and response classes, without a socket. */
// oxlint-disable-next-line import/no-unassigned-import -- first, so that an old version of Node.js fails with a sentence
import "./requireNode.ts"

export type { ExchangeFailure } from "./ExchangeFailure.ts"
export type { ExchangeReply } from "./ExchangeReply.ts"
export type { ExchangeRequest } from "./ExchangeRequest.ts"
export { type Exchange, type ExchangeOptions, makeExchange } from "./Exchange.ts"
export { isSubRequest } from "./isSubRequest.ts"
export { bytesOf } from "./bytesOf.ts"
export { disconnectSignal } from "./disconnectSignal.ts"
export { nodePlatform } from "./nodePlatform.ts"
export { ExchangeError, send } from "./send.ts"
export { type NodeAnswer, writeAnswer } from "./writeAnswer.ts"
