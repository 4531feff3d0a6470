/**
 * What a quota store needs of a database.
 */
import type { QuotaCharge, QuotaDecision, QuotaRefund } from "@multistatus/core/store"

import type { Session } from "../database/Session.ts"

/** What is known of a subject. @internal */
export interface QuotaState {
  /** The arrivals of policies. */
  readonly a: Readonly<Record<string, number>>
  /** Charges that were refunded, and until when that is remembered. */
  readonly r: Readonly<Record<string, number>>
}

/** @internal */
export const noState: QuotaState = { a: {}, r: {} }

/** @internal */
export interface QuotaDialect {
  readonly charge: (session: Session, charge: QuotaCharge) => Promise<QuotaDecision>
  readonly refund: (session: Session, refund: QuotaRefund) => Promise<void>
  /** What is known of a subject, and the time. */
  readonly look: (
    session: Session,
    subject: string,
    now: number | undefined,
  ) => Promise<{ readonly state: QuotaState; readonly now: number }>
  /** Removes some of what is over, in one small step; how many rows. */
  readonly purge: (session: Session, limit: number, now: number | undefined) => Promise<number>
}
