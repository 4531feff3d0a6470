import type { ChunkQueue } from "./ChunkQueue.ts"
import type { JobStore } from "./JobStore.ts"
import { inProcessQueue } from "./inProcessQueue.ts"
import { memoryJobStore } from "./memoryJobStore.ts"

/**
 * Keeps jobs in the memory of this process, and runs them in it: for tests, and where it may be that they are lost with
 * the process.
 */
export const memoryJobs = (): { readonly store: JobStore; readonly queue: ChunkQueue } => ({
  store: memoryJobStore(),
  queue: inProcessQueue(),
})
