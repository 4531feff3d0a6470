import type { ChunkQueue } from "./ChunkQueue.ts"
import { inProcessQueue } from "./inProcessQueue.ts"
import type { JobStore } from "./JobStore.ts"
import { memoryJobStore } from "./memoryJobStore.ts"

/**
 * Makes an engine that stores jobs in the memory of this process, and runs them in it. Jobs are lost when the process ends:
 * use it for tests, and for work that may be lost.
 */
export const memoryJobs = (): { readonly store: JobStore; readonly queue: ChunkQueue } => ({
  store: memoryJobStore(),
  queue: inProcessQueue(),
})
