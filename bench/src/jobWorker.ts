/** A worker process that runs one chunk at a time, until SIGTERM. */
import { once } from "node:events"

import { runWorker } from "@multistatus/core"

import { type JobPlace, openEngine, things } from "./JobPlace.ts"

const { engine, close } = await openEngine(JSON.parse(process.argv[2] ?? "") as JobPlace)
const worker = runWorker({ jobs: { engine, workers: 1 } }, (batch) => void batch.operations(things))
console.log("working")
await once(process, "SIGTERM")
await worker.close()
await close()
