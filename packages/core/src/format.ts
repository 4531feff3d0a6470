/** Multistatus for authors of wire formats: the codec port, and what checks and describes batches. */
export type { Batch, Tally } from "./batch/Batch.ts"
export type {
  Codec,
  DecodeOptions,
  Encoded,
  EncodeOptions,
  EncodeResultOptions,
  Envelope,
  ItemCodec,
  Listing,
  ReturnPreference,
  ValueFormat,
} from "./batch/Codec.ts"
export type { Dispatcher, HandlerOutput, OnDefect } from "./batch/Dispatcher.ts"
export type { Limits } from "./batch/Limits.ts"
export type { Dependency, Operation } from "./batch/Operation.ts"
export { OperationResult, type Outcome } from "./batch/OperationResult.ts"
export { statusOf } from "./batch/Failure.ts"
export type { Strategy, StrategyOffer, StrategyRequest } from "./batch/Strategy.ts"
export * as HeaderRules from "./http/HeaderRules.ts"
export * as Problem from "./http/Problem.ts"
export * as RequestTarget from "./http/RequestTarget.ts"
export * as BulkCodec from "./formats/BulkCodec.ts"
export type { MultiStatusOptions, StatusMode } from "./formats/MultiStatus.ts"
export * as OperationsCodec from "./formats/OperationsCodec.ts"
export type { OrderBy } from "./formats/OperationsCodec.ts"
export * as JsonBatchCodec from "./formats/requests/JsonBatchCodec.ts"
export type { Reference, Template } from "./formats/requests/Reference.ts"
export type { OrderRequestsBy } from "./formats/requests/SubRequestDecoder.ts"
export type { UnknownMembers } from "./formats/UnknownMember.ts"
export { methods, safeMethods, type SubRequest } from "./formats/requests/SubRequest.ts"
export type { SubResponseOptions } from "./formats/requests/SubResponse.ts"
