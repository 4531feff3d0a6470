/**
 * The quota store on databases whose statements cannot decide by themselves: the state of a subject is read, the decision
 * is made here, and the state is written if it is still the one that was read. No lock is held between the two.
 */
import { setTimeout as delay } from "node:timers/promises"

import { Gcra } from "@multistatus/core/store"

import { noState, type QuotaDialect, type QuotaState } from "./QuotaDialect.ts"
import type { Session } from "../database/Session.ts"

/** The statements of a database; a question mark for each parameter. @internal */
export interface OptimisticQuotaTexts {
  /** The state of a subject, and the time in milliseconds since 1970: now, subject. */
  readonly look: string
  /** Makes the row of a subject where there is none: subject, state, the end of its time. */
  readonly insert: string
  /** Subjects whose time is over: now, limit. */
  readonly expired: string
}

/** Milliseconds for which a state is read again that rivals have changed meanwhile. */
const patienceMs = 5000

/** @internal */
export const optimisticQuota = ({ look, insert, expired }: OptimisticQuotaTexts): QuotaDialect => {
  const turns = new Map<string, Promise<unknown>>()

  const looked = async (session: Session, subject: string, now: number | undefined) => {
    const row = (await session.run(look, [now ?? null, subject])).rows[0]!
    const text = row["state"] as string | null
    return { text, state: text === null ? noState : (JSON.parse(text) as QuotaState), now: Number(row["now"]) }
  }

  const swap = async (session: Session, subject: string, before: string | null, { a, r }: QuotaState) => {
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
    given: number | undefined,
    decide: (state: QuotaState, now: number) => { readonly answer: A; readonly state: QuotaState | undefined },
  ): Promise<A> => {
    const endsAt = performance.now() + patienceMs
    while (true) {
      const { text, state, now } = await looked(session, subject, given)
      const decided = decide(state, now)
      if (decided.state === undefined || (await swap(session, subject, text, decided.state))) return decided.answer
      if (performance.now() > endsAt) throw new Error("Others changed the quota of this caller all the time")
      await delay(Math.random() * 5)
    }
  }

  // Those of this process take turns, so that they need not read again because of each other.
  const inTurn = <A>(subject: string, work: () => Promise<A>): Promise<A> => {
    const turn = (turns.get(subject) ?? Promise.resolve()).then(work, work)
    turns.set(subject, turn)
    const leave = () => {
      if (turns.get(subject) === turn) turns.delete(subject)
    }
    turn.then(leave, leave)
    return turn
  }

  return {
    charge: (session, charge) =>
      inTurn(charge.subject, () =>
        change(session, charge.subject, charge.now, (state, now) => {
          const before = charge.demands.map(({ policy }) => arrivalOf(state, policy))
          const { decision, arrivals } = Gcra.decide(charge, before, now)
          if (arrivals === undefined) return { answer: decision, state: undefined }
          const after = charge.demands.map(({ policy }, index) => [policy, arrivals[index]!])
          return { answer: decision, state: { ...state, a: { ...state.a, ...fromEntries(after) } } }
        }),
      ),
    refund: (session, { subject, id, amounts, now: given }) =>
      inTurn(subject, () =>
        change(session, subject, given, (state, now) => {
          if ((state.r[id] ?? 0) > now) return { answer: undefined, state: undefined }
          const known = amounts.filter(({ policy }) => arrivalOf(state, policy) !== undefined)
          const after = known.map((amount) => [
            amount.policy,
            Gcra.refund(amount, arrivalOf(state, amount.policy), now),
          ])
          const until = now + Math.max(1, ...amounts.map(({ windowMs }) => windowMs))
          const remembered = Object.entries(state.r).filter(([, end]) => end > now)
          return {
            answer: undefined,
            state: { a: { ...state.a, ...fromEntries(after) }, r: { ...fromEntries(remembered), [id]: until } },
          }
        }),
      ),
    look: looked,
    purge: async (session, limit, now) => {
      const { rows } = await session.run(expired, [now ?? null, limit])
      if (rows.length === 0) return 0
      // By their names: a deletion that looks for old rows locks those that it passes by.
      const names = rows.map((row) => row["subject"])
      const places = names.map(() => "?").join(", ")
      const end = Math.max(...rows.map((row) => Number(row["expires_at"])))
      const text = `delete from multistatus_quota where subject in (${places}) and expires_at <= ?`
      return (await session.run(text, [...names, end])).affected
    },
  }
}

const fromEntries = (entries: ReadonlyArray<ReadonlyArray<string | number>>): Record<string, number> =>
  Object.fromEntries(entries) as Record<string, number>

const arrivalOf = ({ a }: QuotaState, policy: string): number | undefined =>
  Object.hasOwn(a, policy) ? a[policy] : undefined
