import { setTimeout as delay } from "node:timers/promises"

import { type ChunkRef, createBatch, type Job, resource } from "@multistatus/core"
import { freshDatabase } from "@multistatus/test-services"
import { sql } from "kysely"
import { afterEach, describe, expect, inject, it } from "vitest"

import { migrate } from "../src/migrate.ts"
import { openDatabase } from "../src/openDatabase.ts"
import { pgBossQueue } from "../src/pgBossQueue.ts"
import { sqlJobs } from "../src/sqlJobs.ts"
import { sqlUnitOfWork } from "../src/SqlUnitOfWork.ts"

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

const ref = (chunk: number, dispatch = 0): ChunkRef => ({ job: "J".repeat(22), chunk, dispatch })

describe("a queue of pg-boss", () => {
  const start = async (run: (ref: ChunkRef) => Promise<void> = async () => {}, concurrency = 2) => {
    const { url, db } = await open()
    const queue = pgBossQueue(url)
    closing.push(() => queue.close())
    const seen: Array<ChunkRef> = []
    const buried: Array<ChunkRef> = []
    const consumer = await queue.consume(
      {
        run: async (delivery) => {
          seen.push(delivery.ref)
          await run(delivery.ref)
        },
        dead: async (dead) => void buried.push(dead),
      },
      concurrency,
    )
    return { queue, db, seen, buried, consumer }
  }

  it("delivers each ref once, soon, however often it was sent", async () => {
    const { queue, seen, consumer } = await start()
    await queue.enqueue([ref(0), ref(1)], { delayMs: 1000 })
    await queue.enqueue([ref(0), ref(0, 1)])
    await expect.poll(() => seen.length, { timeout: 10_000 }).toBe(3)
    await delay(1500)
    expect(seen).toHaveLength(3)
    expect(seen).toEqual(expect.arrayContaining([ref(0), ref(1), ref(0, 1)]))
    await consumer.close(1000)
  })

  it("delivers a ref again whose handler rejected, and tells when it has given up", { timeout: 60_000 }, async () => {
    const { queue, seen, buried } = await start(async () => {
      throw new Error("no")
    })
    await queue.enqueue([ref(0)])
    await expect.poll(() => buried, { timeout: 50_000, interval: 200 }).toEqual([ref(0)])
    expect(seen).toHaveLength(4)
  })

  it("sends nothing of a transaction that is rolled back", async () => {
    const { queue, db, seen } = await start()
    const failing = db.transaction().execute(async (transaction) => {
      await queue.enqueue([ref(7)], { transaction })
      throw new Error("rolled back")
    })
    await expect(failing).rejects.toThrow("rolled back")
    await db.transaction().execute((transaction) => queue.enqueue([ref(8)], { transaction }))
    await expect.poll(() => seen, { timeout: 10_000 }).toEqual([ref(8)])
  })

  it("waits for what runs when it is closed, and takes no more", async () => {
    let ended = 0
    const { queue, seen, consumer } = await start(async () => {
      await delay(500)
      ended++
    }, 1)
    await queue.enqueue([ref(0), ref(1)])
    await expect.poll(() => seen.length, { timeout: 10_000 }).toBe(1)
    await consumer.close(5000)
    expect([ended, seen.length]).toEqual([1, 1])
  })
})

describe("jobs on PostgreSQL", () => {
  const serve = async (exactlyOnce: boolean) => {
    const { url, db, dialect } = await open()
    await sql`create table effects (n integer not null)`.execute(db)
    const unitOfWork = sqlUnitOfWork(db)
    const batch = createBatch<string>({
      tenant: () => "a",
      unitOfWork,
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
        gone: new AbortController().signal,
        native: "",
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
        gone: new AbortController().signal,
        native: "",
      })
      return JSON.parse(body) as { readonly status: Job.JobState; readonly succeeded: number }
    }
    const count = async () =>
      Number((await sql<{ n: number }>`select count(*) as n from effects`.execute(db)).rows[0]!.n)
    return { submit, state, count }
  }

  it.each([false, true])("run to their end, each operation once (in transactions: %s)", async (exactlyOnce) => {
    const { submit, state, count } = await serve(exactlyOnce)
    const id = await submit(600)
    await expect.poll(async () => (await state(id)).status, { timeout: 25_000, interval: 100 }).toBe("succeeded")
    expect([(await state(id)).succeeded, await count()]).toEqual([600, 600])
  })
})
