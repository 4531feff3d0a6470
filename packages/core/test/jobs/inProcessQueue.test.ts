import { ChunkQueueContract } from "@multistatus/core/testing"
import { inProcessQueue } from "../../src/jobs/inProcessQueue.ts"

ChunkQueueContract.suite("in process", () => ({ queue: inProcessQueue() }), { volatile: true, redeliveryMs: 20_000 })
