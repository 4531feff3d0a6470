/**
 * The quota store with optimistic locking, for databases without a routine: the state of a subject is read, the decision is
 * made in the process, and the new state is written only if the row still has the state that was read.
 */
import { setTimeout as delay } from "node:timers/promises"

import { Gcra } from "@multistatus/core/store"

import { noState, type QuotaDialect, type QuotaState } from "./QuotaDialect.ts"
import type { Session } from "../database/Session.ts"

/** The statements of a database. Each comment lists the parameters. @internal */
export interface OptimisticQuotaTexts {
  /** Reads the current time in milliseconds and the state of a subject: now, subject. */
  readonly look: string
  /** Inserts the row of a subject if it has none: subject, state, time of expiry. */
  readonly insert: string
  /** Reads expired subjects: now, limit. */
  readonly expired: string
}

/** Milliseconds after which a charge gives up because of concurrent changes. */
const retryMs = 5000

/** Makes the dialect of the given statements. @internal */
export const optimisticQuota = ({ look, insert, expired }: OptimisticQuotaTexts): QuotaDialect => {
  const queues = new Map<string, Promise<unknown>>()

  const readState = async (session: Session, subject: string, now: number | undefined) => {
    const row = (await session.run(look, [now ?? null, subject])).rows[0]!
    const text = row["state"] as string | null
    return { text, state: text === null ? noState : (JSON.parse(text) as QuotaState), now: Number(row["now"]) }
  }

  const compareAndSwap = async (session: Session, subject: string, before: string | null, { a, r }: QuotaState) => {
    const after = JSON.stringify({ a, r })
    const expiresAt = Math.ceil(Math.max(0, ...Object.values(a), ...Object.values(r)))
    const { affected } =
      before === null
        ? await session.run(insert, [subject, after, expiresAt])
        : await session.run(`update multistatus_quota set state = ?, expires_at = ? where subject = ? and state = ?`, [
            after,
            expiresAt,
            subject,
            before,
          ])
    return affected === 1
  }

  const change = async <A>(
    session: Session,
    subject: string,
    fixedNow: number | undefined,
    decide: (state: QuotaState, now: number) => { readonly answer: A; readonly state: QuotaState | undefined },
  ): Promise<A> => {
    const endsAt = performance.now() + retryMs
    while (true) {
      const { text, state, now } = await readState(session, subject, fixedNow)
      const decided = decide(state, now)
      if (decided.state === undefined || (await compareAndSwap(session, subject, text, decided.state)))
        return decided.answer
      if (performance.now() > endsAt)
        throw new Error("The quota of a caller could not be charged within 5 seconds because of concurrent charges")
      await delay(Math.random() * 5)
    }
  }

  // Charges of a subject in this process run one after another, so they do not conflict with each other.
  const enqueue = <A>(subject: string, work: () => Promise<A>): Promise<A> => {
    const turn = (queues.get(subject) ?? Promise.resolve()).then(work, work)
    queues.set(subject, turn)
    const leave = () => {
      if (queues.get(subject) === turn) queues.delete(subject)
    }
    turn.then(leave, leave)
    return turn
  }

  return {
    charge: (session, charge) =>
      enqueue(charge.subject, () =>
        change(session, charge.subject, charge.now, (state, now) => {
          const before = charge.demands.map(({ policy }) => arrivalOf(state, policy))
          const { decision, arrivals } = Gcra.decide(charge, before, now)
          if (arrivals === undefined) return { answer: decision, state: undefined }
          const after = charge.demands.map(({ policy }, index) => [policy, arrivals[index]!])
          return { answer: decision, state: { ...state, a: { ...state.a, ...fromEntries(after) } } }
        }),
      ),
    refund: (session, { subject, id, amounts, now: fixedNow }) =>
      enqueue(subject, () =>
        change(session, subject, fixedNow, (state, now) => {
          if ((state.r[id] ?? 0) > now) return { answer: undefined, state: undefined }
          const chargedAmounts = amounts.filter(({ policy }) => arrivalOf(state, policy) !== undefined)
          const after = chargedAmounts.map((amount) => [
            amount.policy,
            Gcra.refund(amount, arrivalOf(state, amount.policy), now),
          ])
          const until = now + Math.max(1, ...amounts.map(({ windowMs }) => windowMs))
          const otherRefunds = Object.entries(state.r).filter(([, end]) => end > now)
          return {
            answer: undefined,
            state: { a: { ...state.a, ...fromEntries(after) }, r: { ...fromEntries(otherRefunds), [id]: until } },
          }
        }),
      ),
    look: readState,
    purge: async (session, limit, now) => {
      const { rows } = await session.run(expired, [now ?? null, limit])
      if (rows.length === 0) return 0
      // Rows are deleted by subject. A deletion by time would lock all rows that it scans.
      const subjects = rows.map((row) => String(row["subject"])).sort()
      const placeholders = subjects.map(() => "?").join(", ")
      const end = Math.max(...rows.map((row) => Number(row["expires_at"])))
      const text = `delete from multistatus_quota where subject in (${placeholders}) and expires_at <= ?`
      return (await session.run(text, [...subjects, end])).affected
    },
  }
}

const fromEntries = (entries: ReadonlyArray<ReadonlyArray<string | number>>): Record<string, number> =>
  Object.fromEntries(entries) as Record<string, number>

const arrivalOf = ({ a }: QuotaState, policy: string): number | undefined =>
  Object.hasOwn(a, policy) ? a[policy] : undefined
