/** How callers are held to a quota: which policies, what batches cost, and what happens where the store is down. */
import type { Operation } from "../batch/Operation.ts"
import type { QuotaRule } from "./QuotaCharge.ts"
import type { QuotaStore } from "./QuotaStore.ts"

/** A batch that is to be priced: those of its operations that are neither replayed nor refused. */
export interface CostedBatch {
  readonly endpoint: string
  readonly tenant: string | undefined
  readonly operations: ReadonlyArray<Pick<Operation, "index" | "action" | "id">>
}

/** Units that a batch costs as a whole, or units of each of its operations, in order. */
export type CostFunction = (batch: CostedBatch) => number | ReadonlyArray<number>

/** What batches cost under one policy. Milli-units. */
export type CostModel =
  | {
      readonly _tag: "linear"
      readonly base: number
      readonly perOperation: number
      /** Milli-units of operations of these actions, instead of `perOperation`. */
      readonly perAction: ReadonlyMap<string, number>
    }
  | { readonly _tag: "custom"; readonly costOf: CostFunction }

/** A policy, and what batches cost under it. */
export interface QuotaPolicy extends QuotaRule {
  readonly cost: CostModel
}

/** How one endpoint holds callers to a quota, defaults filled in. */
export interface QuotaSettings {
  readonly store: QuotaStore
  readonly policies: ReadonlyArray<QuotaPolicy>
  /** Counts every batch, replays and refused ones included; undefined where nothing does. */
  readonly envelopes: QuotaRule | undefined
  /** Over quota: the whole batch is refused, or the operations that fit are run. */
  readonly mode: "reject" | "admit"
  /** Without an answer of the store: a limiter in this process decides, or none does, or the batch is refused. */
  readonly onStoreError: "insured" | "open" | "closed"
  /** What decides where `insured` holds, and which share of each limit it has. */
  readonly insurance: { readonly store: QuotaStore; readonly share: number }
  /** Milliseconds in which the store has to answer. */
  readonly timeoutMs: number
  /** Which fields tell clients how they stand. */
  readonly fields: {
    /** Names of parameters: those of draft 10, or those that the next one is to have. */
    readonly version: "draft-10" | "draft-11" | undefined
    /** Whether `X-RateLimit-*` are sent too. */
    readonly legacy: boolean
  }
}
