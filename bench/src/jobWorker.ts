/** A process that runs jobs which do nothing, one chunk at a time, until it is told to stop. */
import { once } from "node:events"

import { runWorker } from "@multistatus/core"

import { openEngine, type Place, things } from "./jobPlace.ts"

const { engine, close } = await openEngine(JSON.parse(process.argv[2] ?? "") as Place)
const worker = runWorker({ jobs: { engine, workers: 1 } }, (batch) => void batch.operations(things))
console.log("working")
await once(process, "SIGTERM")
await worker.close()
await close()
