import { freshDatabase } from "@multistatus/test-services"
import { sql } from "kysely"
import { expect, inject, it } from "vitest"

import { openDatabase } from "../../src/database/openDatabase.ts"
import { jobMigration } from "../../src/jobs/jobMigration.ts"
import { sqlJobStore } from "../../src/jobs/sqlJobStore.ts"
import { migrate } from "../../src/migrations/migrate.ts"

it.each([
  { dialect: "sqlite", makeUrl: async () => "sqlite::memory:" },
  { dialect: "pglite", makeUrl: async () => "pglite::memory:" },
  { dialect: "postgres", makeUrl: () => freshDatabase(inject("postgresUrl")) },
] as const)("the migration stores the outcomes of results that exist ($dialect)", async ({ dialect, makeUrl }) => {
  const { db, close } = await openDatabase<unknown>(await makeUrl())
  for (const statement of jobMigration[dialect]) await sql.raw(statement).execute(db)
  const text = (index: number, status: string) => `{"index":${index},"status":"${status}","id":"Grüße, \\u0000"}`
  const results = [text(0, "success"), text(1, "error"), text(2, "skipped")].join("\n")
  await sql`
    insert into multistatus_job
      (id, endpoint, settings, fingerprint, state, total, chunks, span, sent, created_at, updated_at, expires_at)
    values ('j', 'things', '{}', 'f', 'running', 6, 2, 2, 2, 1, 1, 9000000000000)
  `.execute(db)
  await sql`
    insert into multistatus_job_chunk (job, idx, first, operations, payload, state, epoch, results, unsuccessful)
    values ('j', 0, 0, 3, '', 'done', 1, ${results}, 2), ('j', 1, 3, 3, '1', 'waiting', 1, null, 0)
  `.execute(db)
  await sql`
    insert into multistatus_job_part (job, chunk, at, results, succeeded, failed, skipped)
    values ('j', 1, 0, ${text(3, "success")}, 1, 0, 0)
  `.execute(db)
  await migrate(db, dialect)
  const store = sqlJobStore(db)
  const { chunks } = await store.results("j", { from: 0, limit: 9, onlyFailed: true })
  expect(chunks).toMatchObject([{ index: 0, results, outcomes: "sf-" }])
  expect((await store.start({ job: "j", chunk: 1 }))?.parts).toEqual([
    { at: 0, results: text(3, "success"), outcomes: "s" },
  ])
  await close()
})
