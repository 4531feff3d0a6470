import { createBatch } from "@multistatus/core/adapter"
import { type Job } from "@multistatus/core/store"
import { resource } from "@multistatus/core"
import { freshDatabase } from "@multistatus/test-services"
import { sql } from "kysely"
import { afterEach, describe, expect, inject, it } from "vitest"

import { migrate } from "../../../src/migrations/migrate.ts"
import { openDatabase } from "../../../src/database/openDatabase.ts"
import { pgBossQueue } from "../../../src/jobs/pgboss/pgBossQueue.ts"
import { sqlJobs } from "../../../src/jobs/sqlJobs.ts"
import { sqlUnitOfWork } from "../../../src/transactions/sqlUnitOfWork.ts"

const closing: Array<() => Promise<unknown>> = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

const open = async () => {
  const url = await freshDatabase(inject("postgresUrl"))
  const database = await openDatabase<unknown>(url)
  closing.push(database.close)
  await migrate(database.db, database.dialect)
  return { url, ...database }
}

describe("jobs on PostgreSQL", () => {
  const serve = async (exactlyOnce: boolean, quota?: { readonly operations: number; readonly per: string }) => {
    const { url, db, dialect } = await open()
    await sql`create table effects (n integer not null)`.execute(db)
    const unitOfWork = sqlUnitOfWork(db)
    const batch = createBatch<string>({
      tenant: () => "a",
      unitOfWork,
      ...(quota !== undefined && { quota }),
      jobs: { engine: sqlJobs({ db, dialect }, url), chunkOperations: 50, exactlyOnce },
    })
    closing.push(() => batch.close())
    const effects = resource("effects", {
      add: {
        identified: false,
        run: async ({ n }: { readonly n: number }, { tx }) => {
          await sql`insert into effects (n) values (${n})`.execute(tx as typeof db)
          return { id: String(n) }
        },
      },
    })
    const endpoint = batch.operations(effects)
    const submit = async (count: number) => {
      const operations = Array.from({ length: count }, (_, n) => ({ action: "add", data: { n } }))
      const { body, status } = await endpoint.handle({
        method: "POST",
        url: "/effects",
        headers: { "content-type": "application/json", prefer: "respond-async" },
        body: { _tag: "Parsed", value: { operations } },
        isSubRequest: false,
        signal: new AbortController().signal,
        raw: "",
      })
      expect(status).toBe(202)
      return (JSON.parse(body) as { readonly id: string }).id
    }
    const state = async (id: string) => {
      const { body } = await batch.jobs!.handle({
        method: "GET",
        url: `/jobs/${id}`,
        headers: {},
        body: { _tag: "Parsed", value: undefined },
        isSubRequest: false,
        signal: new AbortController().signal,
        raw: "",
      })
      return JSON.parse(body) as { readonly status: Job.JobState; readonly succeeded: number }
    }
    const count = async () =>
      Number((await sql<{ n: number }>`select count(*) as n from effects`.execute(db)).rows[0]!.n)
    return { submit, state, count }
  }

  it.each([false, true])("run every operation once (exactlyOnce: %s)", async (exactlyOnce) => {
    const { submit, state, count } = await serve(exactlyOnce)
    const id = await submit(600)
    await expect.poll(async () => (await state(id)).status, { timeout: 25_000, interval: 100 }).toBe("succeeded")
    expect({ succeeded: (await state(id)).succeeded, rows: await count() }).toEqual({ succeeded: 600, rows: 600 })
  })

  it("fail if a chunk that runs in one transaction exceeds the quota", async () => {
    const { submit, state, count } = await serve(true, { operations: 20, per: "1 minute" })
    const id = await submit(100)
    await expect.poll(async () => (await state(id)).status, { timeout: 25_000, interval: 100 }).toBe("failed")
    expect({ succeeded: (await state(id)).succeeded, rows: await count() }).toEqual({ succeeded: 0, rows: 0 })
  })

  it("reject wrong options before anything is opened", () => {
    expect(() => pgBossQueue("postgres://127.0.0.1/x", { heartbeat: "5 seconds" })).toThrow(
      `"heartbeat" must be a duration such as "30 seconds" or milliseconds; got "5 seconds". The minimum is 10s`,
    )
  })

  it("cannot be enqueued after the queue was closed", async () => {
    const { queue } = sqlJobs(await open(), await freshDatabase(inject("postgresUrl")))
    await queue.close()
    await expect(queue.enqueue([{ job: "a", chunk: 0, dispatch: 0 }])).rejects.toThrow("The queue is closed")
  })

  it("report that running chunks could hold every connection", async () => {
    const url = await freshDatabase(inject("postgresUrl"))
    const database = await openDatabase<unknown>(url, { maxConnections: 4 })
    closing.push(database.close)
    const errors: Array<string> = []
    const { queue } = sqlJobs(database, url, { onError: (error) => errors.push(String(error)) })
    closing.push(() => queue.close())
    for (const concurrency of [3, 4]) {
      const consumer = await queue.consume({ run: async () => {}, dead: async () => {} }, concurrency)
      await consumer.close(0)
    }
    expect(errors).toEqual([expect.stringContaining(`"maxConnections" above 4, or set "jobs.workers" lower`)])
  })
})

it("creates its schema again if it is dropped while workers run", { timeout: 60_000 }, async () => {
  const { url, db } = await open()
  const errors: Array<string> = []
  const queue = pgBossQueue(url, { onError: (error) => errors.push(String(error)) })
  const delivered: Array<number> = []
  const consumer = await queue.consume(
    { run: async ({ ref }) => void delivered.push(ref.chunk), dead: async () => undefined },
    2,
  )
  closing.push(async () => {
    await consumer.close(1000)
    await queue.close()
  })
  await queue.enqueue([{ job: "j", chunk: 1, dispatch: 0 }])
  await expect.poll(() => delivered, { timeout: 10_000 }).toEqual([1])
  await sql`drop schema multistatus_jobs cascade`.execute(db)
  await expect.poll(() => errors.some((error) => error.includes("created again")), { timeout: 30_000 }).toBe(true)
  await queue.enqueue([{ job: "j", chunk: 2, dispatch: 0 }])
  await expect.poll(() => delivered, { timeout: 20_000 }).toEqual([1, 2])
})
