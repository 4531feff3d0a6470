/**
 * The quota store on PostgreSQL and PGlite. A charge or a refund is one call of a routine.
 */
import type { QuotaDecision } from "@multistatus/core/store"

import { chargeRoutine, refundRoutine } from "./postgresRoutines.ts"
import { noState, type QuotaDialect, type QuotaState } from "./QuotaDialect.ts"

const clock = (now: string) => `coalesce(${now}::float8, extract(epoch from clock_timestamp())::float8 * 1000)`

// JSON is sent as text: some drivers encode the value of a `jsonb` parameter once more.
/** @internal */
export const postgresQuota: QuotaDialect = {
  charge: async (session, { subject, minimum, demands, now }) => {
    const { rows } = await session.run(
      `/* multistatus prepare */ select ${chargeRoutine}($1, $2, ($3::text)::jsonb, $4::float8)::text as decision`,
      [subject, minimum, JSON.stringify(demands), now ?? null],
    )
    return JSON.parse(String(rows[0]!["decision"])) as QuotaDecision
  },
  refund: async (session, { subject, id, amounts, now }) => {
    const text = `/* multistatus prepare */ select ${refundRoutine}($1, $2, ($3::text)::jsonb, $4::float8)`
    await session.run(text, [subject, id, JSON.stringify(amounts), now ?? null])
  },
  look: async (session, subject, now) => {
    const { rows } = await session.run(
      `select (select state::text from multistatus_quota where subject = $1) as state, ${clock("$2")} as now`,
      [subject, now ?? null],
    )
    const { state, now: at } = rows[0]!
    return { state: state === null ? noState : (JSON.parse(String(state)) as QuotaState), now: Number(at) }
  },
  purge: async (session, limit, now) => {
    const { affected } = await session.run(
      `delete from multistatus_quota where subject in (
        select subject from multistatus_quota where expires_at <= ${clock("$2")} order by expires_at limit $1 for update skip locked
      )`,
      [limit, now ?? null],
    )
    return affected
  },
}
