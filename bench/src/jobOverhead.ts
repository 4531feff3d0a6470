/** Chunks that run as a job, next to the same chunks in synchronous batches whose results are stored by hand. */
import { createBatch } from "@multistatus/core/adapter"
import { sql } from "kysely"

import { jobPlaces, openEngine, things } from "./JobPlace.ts"
import { concurrency, type JobRunner, lanes, makeJobRunner, requestDefaults } from "./JobRunner.ts"
import { startJobServices } from "./JobServices.ts"
import { type Case, measure, median, print } from "./Rounds.ts"

const chunks = 80
const size = 10

const services = await startJobServices()
const { client, db } = services

type StoreResults = (results: string) => Promise<unknown>

/** Runs the chunks without jobs: some at once, and stores the results of each. */
const inline = (store: StoreResults) => {
  const endpoint = createBatch({ concurrency }).operations(things)
  const body = {
    _tag: "Parsed",
    value: { operations: Array.from({ length: size }, () => ({ action: "wait" })) },
  } as const
  return async (): Promise<void> => {
    let next = 0
    const lane = async () => {
      while (next++ < chunks) {
        const response = await endpoint.handle({
          ...requestDefaults,
          headers: { "content-type": "application/json" },
          body,
        })
        if (response.status !== 200) throw new Error(response.body)
        await store(response.body)
      }
    }
    await Promise.all(Array.from({ length: lanes }, lane))
  }
}

await sql`create table results (id int8 generated always as identity primary key, results text not null)`.execute(db)
const stored = new Map<number, string>()
const storeResults: ReadonlyArray<StoreResults> = [
  async (results) => stored.set(stored.size, results),
  async (results) => client.set(`results:${stored.size}`, results),
  async (results) => sql`insert into results (results) values (${results})`.execute(db),
]

const runners: Array<JobRunner & { readonly name: string }> = []
for (const [name, place] of jobPlaces(services.redisUrl, services.postgresUrl)) {
  const { engine, close } = await openEngine(place)
  const runner = makeJobRunner(engine, lanes, size)
  runners.push({ name, run: runner.run, close: () => runner.close().then(close) })
}
const cases = runners.flatMap(({ name, run }, index): ReadonlyArray<Case> => [
  { name: `inline: ${name}`, run: inline(storeResults[index]!) },
  { name: `as a job: ${name}`, run: () => run("wait", chunks * size) },
])
const times = await measure(cases, { rounds: 5, warmUp: 1 })
print(`${chunks} chunks of 55 ms, two at once, results stored`, cases, times)
console.log("\n  as a job, to inline")
runners.forEach(({ name }, index) => {
  const ratio = median(times.map((round) => round[2 * index + 1]! / round[2 * index]!))
  console.log(`  ${name.padEnd(64)} ${ratio.toFixed(2).padStart(7)} ×`)
})

for (const { close } of runners) await close()
await services.stop()
