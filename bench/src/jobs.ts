/** What jobs cost: the same chunks run inline, on BullMQ and on pg-boss; and operations a second of one worker and of two. */
import { setTimeout as delay } from "node:timers/promises"

import { createBatch, type JobEngine, memoryJobs, resource } from "@multistatus/core"
import { checkRedis, redisClient, redisJobs } from "@multistatus/store-redis"
import { migrate, openDatabase, sqlJobs } from "@multistatus/store-sql"
import { startPostgres, startRedis } from "@multistatus/test-services"
import { sql } from "kysely"

import { type Case, measure, median, print } from "./Rounds.ts"

const chunks = 80
const size = 10
const lanes = 2
/** With two operations of a chunk at once, a chunk takes 55 ms. */
const waitMs = 11
const atOnce = 2

const redis = await startRedis({ durable: true })
const server = redisClient(redis.url)
server.on("error", () => undefined)
await checkRedis(server)
// What Redis itself recommends, and BullMQ: the log is synced once a second.
await server.config("SET", "appendfsync", "everysec")
const postgres = await startPostgres({ durable: true })
const client = redisClient(redis.url)
client.on("error", () => undefined)
await checkRedis(client, { jobs: true })
const database = await openDatabase<unknown>(postgres.url)
await migrate(database.db, database.dialect)

const things = resource("things", {
  wait: { identified: false, run: () => delay(waitMs, {}) },
  nothing: { identified: false, run: () => ({}) },
})

const open = (engine: JobEngine, workers: number, chunkOperations: number) => {
  const batch = createBatch({
    concurrency: atOnce,
    jobs: { engine, workers, chunkOperations, sliceOperations: chunkOperations, window: 2 * lanes },
  })
  const endpoint = batch.operations(things)
  const request = { isSubRequest: false, gone: new AbortController().signal, native: undefined }
  const run = async (action: string, count: number): Promise<void> => {
    const operations = Array.from({ length: count }, () => ({ action }))
    const { body, status } = await endpoint.handle({
      ...request,
      method: "POST",
      headers: { "content-type": "application/json", prefer: "respond-async" },
      body: { _tag: "Parsed", value: { operations } },
    })
    if (status !== 202) throw new Error(body)
    const { id } = JSON.parse(body) as { readonly id: string }
    while (true) {
      const job = await engine.store.find(id)
      if (job?.state === "succeeded") return
      await delay(20)
    }
  }
  return { run, close: batch.close }
}

/** What one would write without jobs: chunk by chunk, in as many lanes, and the results of each are kept by hand. */
const inline = (keep: (results: string) => Promise<unknown>) => {
  const endpoint = createBatch({ concurrency: atOnce }).operations(things)
  const body = {
    _tag: "Parsed",
    value: { operations: Array.from({ length: size }, () => ({ action: "wait" })) },
  } as const
  const request = { isSubRequest: false, gone: new AbortController().signal, native: undefined }
  return async (): Promise<void> => {
    let next = 0
    const lane = async () => {
      while (next++ < chunks) {
        const answer = await endpoint.handle({
          ...request,
          method: "POST",
          headers: { "content-type": "application/json" },
          body,
        })
        if (answer.status !== 200) throw new Error(answer.body)
        await keep(answer.body)
      }
    }
    await Promise.all(Array.from({ length: lanes }, lane))
  }
}

await sql`create table results (id int8 generated always as identity primary key, results text not null)`.execute(
  database.db,
)
const kept = new Map<number, string>()
const keepers: ReadonlyArray<(results: string) => Promise<unknown>> = [
  async (results) => kept.set(kept.size, results),
  async (results) => server.set(`results:${kept.size}`, results),
  async (results) => sql`insert into results (results) values (${results})`.execute(database.db),
]

const engines: ReadonlyArray<readonly [string, () => JobEngine]> = [
  ["in this process, in memory", memoryJobs],
  ["BullMQ and Redis", () => redisJobs({ client, name: `bench-${made++}` })],
  ["pg-boss and PostgreSQL", () => sqlJobs(database, postgres.url, { name: `bench-${made++}` })],
]
let made = 0

const opened = engines.map(([name, engine]) => [name, open(engine(), lanes, size)] as const)
const cases = opened.flatMap(([name, { run }], index): ReadonlyArray<Case> => [
  { name: `inline: ${name}`, run: inline(keepers[index]!) },
  { name: `as a job: ${name}`, run: () => run("wait", chunks * size) },
])
const times = await measure(cases, { rounds: 5, warmUp: 1 })
print(`${chunks} chunks of 55 ms, two at once, results kept`, cases, times)
console.log("\n  as a job to inline")
opened.forEach(([name], index) => {
  const ratio = median(times.map((round) => round[2 * index + 1]! / round[2 * index]!))
  console.log(`  ${name.padEnd(64)} ${ratio.toFixed(2).padStart(7)} ×`)
})
for (const [, { close }] of opened) await close()

console.log("\nOperations a second that do nothing, in chunks of 500")
for (const [name, engine] of engines) {
  for (const workers of [1, 2]) {
    const { run, close } = open(engine(), workers, 500)
    await run("nothing", 500)
    const taken: Array<number> = []
    for (let round = 0; round < 5; round++) {
      const startedAt = performance.now()
      await run("nothing", 20_000)
      taken.push((performance.now() - startedAt) / 1000)
    }
    const rate = Math.round(20_000 / median(taken)).toLocaleString("en")
    console.log(`  ${`${name}, ${workers} at once`.padEnd(64)} ${rate.padStart(12)}`)
    await close()
  }
}

client.disconnect()
server.disconnect()
await database.close()
await redis.stop()
await postgres.stop()
