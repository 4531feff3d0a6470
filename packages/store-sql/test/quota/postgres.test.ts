import { expect, it } from "vitest"

import { postgresQuota } from "../../src/quota/postgres.ts"
import type { Session } from "../../src/database/Session.ts"

// postgres.js, for one, encodes the value of a parameter of the type jsonb, which then is a JSON string of JSON.
it("the quota store sends JSON as text, so that every driver sends it as it is", async () => {
  const sent: Array<string> = []
  const run = async (text: string) => {
    sent.push(text)
    return { rows: [{ decision: "{}" }], affected: 0, insertId: undefined }
  }
  const session = { run } as unknown as Session
  await postgresQuota.charge(session, { subject: "s", id: "i", minimum: 0, demands: [] })
  await postgresQuota.refund(session, { subject: "s", id: "i", amounts: [] })
  for (const text of sent) {
    expect(text).toContain("($3::text)::jsonb")
    expect(text).not.toMatch(/\$\d+::jsonb/)
  }
  expect(sent).toHaveLength(2)
})
