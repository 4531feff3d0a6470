/** What jobs cost: the same chunks run inline, on BullMQ and on pg-boss; and operations a second of one worker and of two. */
import { setTimeout as delay } from "node:timers/promises"

import { createBatch, type JobEngine, memoryJobs, resource } from "@multistatus/core"
import { checkRedis, redisClient, redisJobs } from "@multistatus/store-redis"
import { migrate, openDatabase, sqlJobs } from "@multistatus/store-sql"
import { startPostgres, startRedis } from "@multistatus/test-services"

import { type Case, measure, median, print } from "./Rounds.ts"

const chunks = 40
const size = 10
const lanes = 2
/** With two operations of a chunk at once, a chunk takes 55 ms. */
const waitMs = 11
const atOnce = 2

const redis = await startRedis({ durable: true })
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
      await delay(5)
    }
  }
  return { run, close: batch.close }
}

const inline = async (): Promise<void> => {
  let next = 0
  const lane = async () => {
    while (next++ < chunks) {
      for (let operation = 0; operation < size; operation += atOnce) {
        await Promise.all(Array.from({ length: atOnce }, () => delay(waitMs)))
      }
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
}

const engines: ReadonlyArray<readonly [string, () => JobEngine]> = [
  ["in this process, in memory", memoryJobs],
  ["BullMQ and Redis", () => redisJobs({ client, name: `bench-${made++}` })],
  ["pg-boss and PostgreSQL", () => sqlJobs(database, postgres.url, { name: `bench-${made++}` })],
]
let made = 0

const opened = engines.map(([name, engine]) => [name, open(engine(), lanes, size)] as const)
const cases: ReadonlyArray<Case> = [
  { name: `${chunks} chunks of 55 ms, two at once, inline`, run: inline },
  ...opened.map(([name, { run }]) => ({ name: `as a job: ${name}`, run: () => run("wait", chunks * size) })),
]
const times = await measure(cases, { rounds: 7, warmUp: 1 })
print("The same chunks", cases, times)
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
await database.close()
await redis.stop()
await postgres.stop()
