/** Operations per second that jobs run, with one worker process and with two. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"

import { type JobPlace, jobPlaces, openEngine } from "./JobPlace.ts"
import { type JobRunner, makeJobRunner } from "./JobRunner.ts"
import { startJobServices } from "./JobServices.ts"
import { median } from "./Rounds.ts"

const operations = 20_000
const chunkOperations = 500

const startWorker = async (place: JobPlace) => {
  const worker = spawn(process.execPath, [join(import.meta.dirname, "jobWorker.ts"), JSON.stringify(place)], {
    stdio: ["ignore", "pipe", "inherit"],
  })
  await once(worker.stdout, "data")
  return worker
}

const rateOf = async ({ run }: JobRunner): Promise<string> => {
  await run("nothing", operations)
  const seconds: Array<number> = []
  for (let round = 0; round < 5; round++) {
    const startedAt = performance.now()
    await run("nothing", operations)
    seconds.push((performance.now() - startedAt) / 1000)
  }
  return Math.round(operations / median(seconds)).toLocaleString("en")
}

const services = await startJobServices()
console.log(`\nOperations per second, doing nothing, in chunks of ${chunkOperations}`)
for (const processes of [1, 2]) {
  for (const [name, place] of jobPlaces(services.redisUrl, services.postgresUrl)) {
    const isHere = place.redisUrl === undefined && place.postgresUrl === undefined
    if (isHere && processes > 1) continue
    const { engine, close } = await openEngine(place)
    const workers = await Promise.all(Array.from({ length: isHere ? 0 : processes }, () => startWorker(place)))
    const runner = makeJobRunner(engine, isHere ? 1 : 0, chunkOperations)
    const rate = await rateOf(runner)
    const kind = isHere ? "" : processes === 1 ? ", one worker process" : ", two worker processes"
    console.log(`  ${`${name}${kind}`.padEnd(64)} ${rate.padStart(12)}`)
    for (const worker of workers) worker.kill("SIGTERM")
    await Promise.all(workers.map((worker) => once(worker, "exit")))
    await runner.close()
    await close()
  }
}
await services.stop()
