import { inProcessQueue } from "../../src/stores/inProcessQueue.ts"
import * as ChunkQueueContract from "../../src/testing/ChunkQueueContract.ts"

ChunkQueueContract.suite("in this process", () => ({ queue: inProcessQueue() }))
