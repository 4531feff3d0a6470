/** Jobs of thousands of operations, run by worker processes that are killed, frozen, stopped and poisoned. */
import { freshDatabase } from "@multistatus/test-services"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { migrate, openDatabase } from "@multistatus/store-sql"
import { sql } from "kysely"
import { expect, inject } from "vitest"
import { type EffectsOptions, openEffects } from "./effects.ts"

interface Monitor {
  readonly status: string
  readonly completed: number
  readonly succeeded: number
  readonly failed: number
}

interface Answer extends Monitor {
  readonly results: ReadonlyArray<{
    readonly index: number
    readonly status: string
    readonly error?: { readonly code: string }
  }>
  readonly next_cursor?: string
}

/** Makes the databases of a job, by the name of its queue. */
export const places = {
  "pg-boss on PostgreSQL": async () => ({
    databaseUrl: await freshDatabase(inject("postgresUrl")),
    redisUrl: undefined,
  }),
  "BullMQ on Redis": async () => ({
    databaseUrl: await freshDatabase(inject("postgresUrl")),
    redisUrl: await freshDatabase(inject("redisUrl")),
  }),
}

/** What there is to find out about a job that ran into trouble. */
export interface Outcome extends Monitor {
  /** Calls of handlers beyond the first for an operation. */
  readonly repeated: number
  /** Operations without any. */
  readonly lost: number
  /** Milliseconds from the trouble to the end. */
  readonly recoveredMs: number
  readonly codes: Readonly<Record<string, number>>
}

/** Troubles two workers, or those that come after them, when a part of a job has ended. */
export const trouble = async (
  { databaseUrl, redisUrl }: Pick<EffectsOptions, "databaseUrl" | "redisUrl">,
  make: (workers: ReadonlyArray<ChildProcess>) => Promise<unknown>,
  { count = 10_000, exactlyOnce = false, poisonAt = -1, ready = 0.2, losesFirst = false } = {},
): Promise<Outcome> => {
  const prepared = await openDatabase<unknown>(databaseUrl)
  await migrate(prepared.db, prepared.dialect)
  await sql`create table if not exists effects (n integer not null)`.execute(prepared.db)
  await prepared.close()
  const options = { databaseUrl, redisUrl, exactlyOnce }
  const { db, batch, endpoint, close } = await openEffects({ ...options, workers: 0, losesFirst })
  const begin = async () => {
    const worker = spawn(
      process.execPath,
      [join(import.meta.dirname, "effectWorker.ts"), JSON.stringify({ ...options, workers: 2 })],
      {
        stdio: ["ignore", "pipe", "inherit"],
      },
    )
    await once(worker.stdout, "data")
    return worker
  }
  const workers = await Promise.all([begin(), begin()])
  // Both have to be at work when one of them gets into trouble; a queue takes its time to begin.
  await delay(3000)
  // A worker that its work has ended is started again, as whoever looks after it would do.
  for (const worker of workers) {
    worker.once("exit", (code) => {
      const restart = async () => {
        const next = await begin()
        workers.push(next)
        next.once("exit", (again) => again === 9 && void restart())
      }
      if (code === 9) void restart()
    })
  }
  const lines = Array.from({ length: count }, (_, n) =>
    JSON.stringify(n === poisonAt ? { action: "poison" } : { action: "add", data: { n } }),
  )
  const bytes = (async function* () {
    yield new TextEncoder().encode(lines.join("\n"))
  })()
  const asking = { isSubRequest: false, signal: new AbortController().signal, raw: undefined }
  const { headers, status } = await endpoint.handle({
    ...asking,
    method: "POST",
    headers: { "content-type": "application/x-ndjson" },
    body: { _tag: "Stream", bytes },
  })
  expect(status).toBe(202)
  const ask = async (path: string): Promise<Answer> => {
    const { body, status: answered } = await batch.jobs!.handle({
      ...asking,
      method: "GET",
      url: `${headers["location"]}${path}`,
      headers: {},
      body: { _tag: "Parsed", value: undefined },
    })
    // Its store is down, and is going to be there again.
    if (answered === 503) {
      await delay(100)
      return ask(path)
    }
    return JSON.parse(body) as Answer
  }
  while ((await ask("")).completed < count * ready) await delay(20)
  await make(workers)
  const troubledAt = performance.now()
  let monitor = await ask("")
  while (monitor.status === "queued" || monitor.status === "running") {
    await delay(50)
    monitor = await ask("")
  }
  const recoveredMs = performance.now() - troubledAt
  const codes: Record<string, number> = {}
  const indexes: Array<number> = []
  for (let cursor = ""; ;) {
    const page = await ask(`/results?limit=1000${cursor}`)
    for (const { index, status: outcome, error } of page.results) {
      indexes.push(index)
      const code = error?.code ?? outcome
      codes[code] = (codes[code] ?? 0) + 1
    }
    if (page.next_cursor === undefined) break
    cursor = `&cursor=${page.next_cursor}`
  }
  expect(indexes).toEqual(Array.from({ length: count }, (_, index) => index))
  const counted = await sql<{ all: string; distinct: string }>`
    select count(*) as "all", count(distinct n) as "distinct" from effects
  `.execute(db)
  const [{ all, distinct } = { all: "0", distinct: "0" }] = counted.rows
  for (const worker of workers) worker.kill("SIGKILL")
  await close()
  return {
    ...monitor,
    codes,
    recoveredMs,
    repeated: Number(all) - Number(distinct),
    lost: monitor.succeeded - Number(distinct),
  }
}

/** A slice for each chunk that a worker of two runs at once. */
export const mostRepeated = 2 * 50
