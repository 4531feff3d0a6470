/**
 * What an idempotency store needs of a database.
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
 * One database's way of doing it. Every step can be repeated. An answer that is undefined says that a rival was in the
 * way: the same may be asked once more.
 *
 * @internal
 */
export interface IdempotencyDialect {
  readonly acquire: (
    session: Session,
    items: ReadonlyArray<AcquireItem>,
    times: IdempotencyTimes,
  ) => Promise<ReadonlyArray<Acquired | undefined>>
  readonly settle: (
    session: Session,
    items: ReadonlyArray<SettleItem>,
    times: IdempotencyTimes,
  ) => Promise<ReadonlyArray<Settled | undefined>>
  readonly peek: (session: Session, key: string, now: number | undefined) => Promise<IdempotencyRecord | undefined>
  readonly resolve: (session: Session, key: string, decision: Decision, now: number | undefined) => Promise<boolean>
  /** Removes some of what has expired, in one small step. */
  readonly purge: (session: Session, limit: number, now: number | undefined) => Promise<number>
}

/** What became of a claim that was given up on. @internal */
export interface Decision {
  readonly state: "done" | "released"
  readonly payload: string
  /** Milliseconds that it is remembered from now; undefined: as long as before. */
  readonly ttlMs: number | undefined
}

/** What an action does to the payload. @internal */
export const payloadOf = ({ action }: SettleItem): string => {
  if (action._tag === "complete") return action.result
  return action._tag === "append" ? action.chunk : ""
}

/** How many UTF-16 code units precede a chunk, and how many there are with it. @internal */
export const sizesOf = ({ action }: SettleItem): readonly [before: number, after: number] =>
  action._tag === "append" ? [action.at, action.at + action.chunk.length] : [0, 0]

/** The state that a claim is made in. @internal */
export const stateOf = ({ mode }: AcquireItem): "pending" | "held" => (mode === "hold" ? "held" : "pending")

/** A row of the table as an answer to `peek`. @internal */
export const toRecord = (row: Readonly<Record<string, unknown>> | undefined): IdempotencyRecord | undefined =>
  row && {
    state: row["state"] as IdempotencyRecord["state"],
    fence: Number(row["fence"]),
    leaseLeftMs: Number(row["left_ms"]),
  }
