/**
 * What jobs cost: the same chunks run inline, on BullMQ and on pg-boss; and operations a second of one worker process and of
 * two.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"

import { createBatch } from "@multistatus/core/adapter"
import { type JobEngine } from "@multistatus/core"
import { checkRedis, redisClient } from "@multistatus/store-redis"
import { migrate, openDatabase } from "@multistatus/store-sql"
import { startPostgres, startRedis } from "@multistatus/test-services"
import { sql } from "kysely"

import { openEngine, type Place, things } from "./jobPlace.ts"
import { type Case, measure, median, print } from "./Rounds.ts"

const chunks = 80
const size = 10
const lanes = 2
const atOnce = 2

const redis = await startRedis({ durable: true })
const server = redisClient(redis.url)
server.on("error", () => undefined)
await checkRedis(server)
// What Redis itself recommends, and BullMQ: the log is synced once a second.
await server.config("SET", "appendfsync", "everysec")
const postgres = await startPostgres({ durable: true })
const database = await openDatabase<unknown>(postgres.url)
await migrate(database.db, database.dialect)

type Run = (action: string, count: number) => Promise<void>

const open = (engine: JobEngine, workers: number, chunkOperations: number) => {
  const batch = createBatch({
    concurrency: atOnce,
    jobs: { engine, workers, chunkOperations, sliceOperations: chunkOperations, window: 2 * lanes },
  })
  const endpoint = batch.operations(things)
  const request = { isSubRequest: false, signal: new AbortController().signal, raw: undefined }
  const run: Run = async (action, count) => {
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
  const request = { isSubRequest: false, signal: new AbortController().signal, raw: undefined }
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

const startWorker = async (place: Place) => {
  const worker = spawn(process.execPath, [join(import.meta.dirname, "jobWorker.ts"), JSON.stringify(place)], {
    stdio: ["ignore", "pipe", "inherit"],
  })
  await once(worker.stdout, "data")
  return worker
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

const places: ReadonlyArray<readonly [string, Omit<Place, "name">]> = [
  ["in this process, in memory", {}],
  ["BullMQ and Redis", { redisUrl: redis.url }],
  ["pg-boss and PostgreSQL", { postgresUrl: postgres.url }],
]
let made = 0
const newPlace = (place: Omit<Place, "name">): Place => ({ ...place, name: `bench-${made++}` })

const opened: Array<{ readonly name: string; readonly run: Run; readonly close: () => Promise<void> }> = []
for (const [name, place] of places) {
  const { engine, close } = await openEngine(newPlace(place))
  const jobs = open(engine, lanes, size)
  opened.push({ name, run: jobs.run, close: () => jobs.close().then(close) })
}
const cases = opened.flatMap(({ name, run }, index): ReadonlyArray<Case> => [
  { name: `inline: ${name}`, run: inline(keepers[index]!) },
  { name: `as a job: ${name}`, run: () => run("wait", chunks * size) },
])
const times = await measure(cases, { rounds: 5, warmUp: 1 })
print(`${chunks} chunks of 55 ms, two at once, results kept`, cases, times)
console.log("\n  as a job to inline")
opened.forEach(({ name }, index) => {
  const ratio = median(times.map((round) => round[2 * index + 1]! / round[2 * index]!))
  console.log(`  ${name.padEnd(64)} ${ratio.toFixed(2).padStart(7)} ×`)
})
for (const { close } of opened) await close()

console.log("\nOperations a second that do nothing, in chunks of 500")
const rateOf = async (run: Run): Promise<string> => {
  await run("nothing", 20_000)
  const taken: Array<number> = []
  for (let round = 0; round < 5; round++) {
    const startedAt = performance.now()
    await run("nothing", 20_000)
    taken.push((performance.now() - startedAt) / 1000)
  }
  return Math.round(20_000 / median(taken)).toLocaleString("en")
}
for (const [name, given] of places) {
  const isHere = given.redisUrl === undefined && given.postgresUrl === undefined
  for (const workers of isHere ? [1] : [1, 2]) {
    const place = newPlace(given)
    const { engine, close } = await openEngine(place)
    const processes = await Promise.all(Array.from({ length: isHere ? 0 : workers }, () => startWorker(place)))
    const jobs = open(engine, isHere ? 1 : 0, 500)
    const rate = await rateOf(jobs.run)
    const kind = isHere ? "" : workers === 1 ? ", one worker process" : ", two worker processes"
    console.log(`  ${`${name}${kind}`.padEnd(64)} ${rate.padStart(12)}`)
    for (const worker of processes) worker.kill("SIGTERM")
    await Promise.all(processes.map((worker) => once(worker, "exit")))
    await jobs.close()
    await close()
  }
}

server.disconnect()
await database.close()
await redis.stop()
await postgres.stop()
