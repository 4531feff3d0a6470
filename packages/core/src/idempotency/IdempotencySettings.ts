/** How retries are recognised: what is stored, where, and for how long. */
import type { IdempotencyStore } from "./IdempotencyStore.ts"
import type { Operation } from "../batch/Operation.ts"
import type { ResultCodec } from "./StoredResult.ts"

/** How retries are recognised at one endpoint, defaults filled in. */
export interface IdempotencySettings {
  readonly store: IdempotencyStore
  /** Milliseconds that results are kept. */
  readonly ttlMs: number
  /** Milliseconds that the keys of a crashed holder stay taken. */
  readonly leaseMs: number
  /** Whether every operation needs a key of its own, or its batch one. */
  readonly required: boolean
  /** Whether batches run without claims when the store cannot be reached. */
  readonly failOpen: boolean
  /** Bytes that the result of one operation may have, to be kept whole. */
  readonly maxResultBytes: number
  /** What a lost lease means: that others may run the operation again, or that nobody may. */
  readonly onAmbiguous: (operation: Operation) => "retry" | "hold"
  /** Calls that share a transaction, which also stores their results; undefined where results are stored afterwards. */
  readonly sameTransaction: number | undefined
  readonly codec: ResultCodec | undefined
  /** Whether keys are kept apart by caller; a caller who is not known has none then. */
  readonly scope: "tenant" | "global"
}

/**
 * Milliseconds in which the store has to answer: a third of the lease, so that a heartbeat may fail, but no less than a
 * second.
 */
export const answerMs = ({ leaseMs }: Pick<IdempotencySettings, "leaseMs">): number => Math.max(1000, leaseMs / 3)
