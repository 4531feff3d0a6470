import { ChunkQueueContract } from "@multistatus/core/testing"
import { inProcessQueue } from "../../src/stores/inProcessQueue.ts"

ChunkQueueContract.suite("in process", () => ({ queue: inProcessQueue() }), { volatile: true, patienceMs: 20_000 })
