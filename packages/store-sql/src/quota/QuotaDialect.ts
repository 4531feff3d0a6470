/**
 * The interface of the quota store to a database.
 */
import type { QuotaCharge, QuotaDecision, QuotaRefund } from "@multistatus/core/store"

import type { Session } from "../database/Session.ts"

/** The state of a subject. @internal */
export interface QuotaState {
  /** The theoretical arrival time of each policy (see `Gcra`). */
  readonly a: Readonly<Record<string, number>>
  /** The ids of refunded charges, with the time until which each is stored. */
  readonly r: Readonly<Record<string, number>>
}

/** The state of a subject without charges. @internal */
export const noState: QuotaState = { a: {}, r: {} }

/** The operations of the quota store on one kind of database. @internal */
export interface QuotaDialect {
  readonly charge: (session: Session, charge: QuotaCharge) => Promise<QuotaDecision>
  readonly refund: (session: Session, refund: QuotaRefund) => Promise<void>
  /** Reads the state of a subject and the current time. */
  readonly look: (
    session: Session,
    subject: string,
    now: number | undefined,
  ) => Promise<{ readonly state: QuotaState; readonly now: number }>
  /** Removes at most `limit` rows of subjects that have their whole quota again. Returns their number. */
  readonly purge: (session: Session, limit: number, now: number | undefined) => Promise<number>
}
