/**
 * The interface of the idempotency store to a database.
 */
import type {
  Acquired,
  AcquireItem,
  IdempotencyRecord,
  IdempotencyTimes,
  Settled,
  SettleItem,
} from "@multistatus/core/store"

import type { Session } from "../database/Session.ts"

/**
 * The operations of the idempotency store on one kind of database. Each can be repeated. An `undefined` result means that a
 * concurrent claim interfered; the caller asks once more for these items.
 *
 * @internal
 */
export interface IdempotencyDialect {
  /** Claims keys. */
  readonly acquire: (
    session: Session,
    items: ReadonlyArray<AcquireItem>,
    times: IdempotencyTimes,
  ) => Promise<ReadonlyArray<Acquired | undefined>>
  /** Stores results and chunks, extends claims or releases them. */
  readonly settle: (
    session: Session,
    items: ReadonlyArray<SettleItem>,
    times: IdempotencyTimes,
  ) => Promise<ReadonlyArray<Settled | undefined>>
  /** Reads a record without changing it. */
  readonly peek: (session: Session, key: string, now: number | undefined) => Promise<IdempotencyRecord | undefined>
  /** Decides the outcome of an indeterminate record. Returns false if the record is not indeterminate. */
  readonly resolve: (session: Session, key: string, decision: Decision, now: number | undefined) => Promise<boolean>
  /** Removes at most `limit` expired records. Returns their number. */
  readonly purge: (session: Session, limit: number, now: number | undefined) => Promise<number>
}

/** The decided outcome of an indeterminate record. @internal */
export interface Decision {
  readonly state: "done" | "released"
  readonly payload: string
  /** Milliseconds until the record expires. `undefined` keeps its time of expiry. */
  readonly ttlMs: number | undefined
}

/** Returns the text that an action stores. @internal */
export const payloadOf = ({ action }: SettleItem): string => {
  if (action._tag === "complete") return action.result
  return action._tag === "append" ? action.chunk : ""
}

/** Returns the length of the journal before and after a chunk, in UTF-16 code units. @internal */
export const sizesOf = ({ action }: SettleItem): readonly [before: number, after: number] =>
  action._tag === "append" ? [action.at, action.at + action.chunk.length] : [0, 0]

/** Returns the state of a new claim. @internal */
export const stateOf = ({ mode }: AcquireItem): "pending" | "held" => (mode === "hold" ? "held" : "pending")

/** Converts a row of the table to the result of `peek`. @internal */
export const toRecord = (row: Readonly<Record<string, unknown>> | undefined): IdempotencyRecord | undefined =>
  row && {
    state: row["state"] as IdempotencyRecord["state"],
    fence: Number(row["fence"]),
    leaseLeftMs: Number(row["left_ms"]),
  }
