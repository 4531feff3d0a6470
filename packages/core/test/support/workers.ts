import { onTestFinished } from "vitest"
import type { StartedChunk } from "../../src/jobs/Job.ts"
import type { JobOptions } from "../../src/jobs/JobOptions.ts"
import type { JobStore } from "../../src/jobs/JobStore.ts"
import { memoryEngine, withJobs } from "./jobs.ts"

/** A server that accepts jobs and does not run them. */
export const server = (engine = memoryEngine(), jobs: Partial<JobOptions> = {}) =>
  withJobs({ engine, workers: 0, sliceOperations: 10, ...jobs })

/** A server that accepts jobs and runs them, one operation at a time. It is closed with the test. */
export const worker = (jobs: Partial<JobOptions>) => {
  const made = withJobs({ sliceOperations: 10, ...jobs }, { concurrency: 1 })
  onTestFinished(async () => made.batch.close())
  return made
}

/** Submits a job. Returns its location and id. */
export const submitJob = async ({ submit }: ReturnType<typeof withJobs>, body: object) => {
  const { location, json } = await submit(body)
  return { location, id: json.id as string }
}

/** An engine whose store rejects the first `failures` commits. */
export const failingToCommit = (failures: number) => {
  const { store, queue } = memoryEngine()
  let remaining = failures
  const commit: JobStore["commit"] = async (...args) => {
    if (remaining-- > 0) throw new Error("The store is unreachable")
    return store.commit(...args)
  }
  return { store: { ...store, commit }, queue }
}

/** The results of `count` operations from `first` on, which succeeded with the same id. */
export const resultsOf = (first: number, count: number, id: string) => ({
  results: Array.from({ length: count }, (_, n) => `{"index":${first + n},"status":"success","id":"${id}"}`).join("\n"),
  outcomes: "s".repeat(count),
})

/** Commits a chunk whose operations all succeeded with the id `rival`. */
export const commitAsRival = (store: JobStore, { hold, operations }: StartedChunk) =>
  store.commit(hold, { ...resultsOf(0, operations, "rival"), halt: undefined }, 60_000)
