import { setTimeout as delay } from "node:timers/promises"

import type { JobEngine } from "@multistatus/core"
import { createBatch, type HttpRequest } from "@multistatus/core/adapter"

import { things } from "./JobPlace.ts"

/** Parts of a request that are the same in every benchmark. */
export const requestDefaults: Pick<HttpRequest, "isSubRequest" | "signal" | "raw" | "method"> = {
  isSubRequest: false,
  signal: new AbortController().signal,
  raw: undefined,
  method: "POST",
}

/** Operations of a chunk that run at once. */
export const concurrency = 2

/** Chunks that the server runs at once, unless workers run them. */
export const lanes = 2

/** A server that accepts jobs and waits for them. */
export interface JobRunner {
  /** Submits a job of this many operations, and waits for its end. */
  readonly run: (action: string, count: number) => Promise<void>
  readonly close: () => Promise<void>
}

/** Makes a server with an endpoint for jobs. */
export const makeJobRunner = (engine: JobEngine, workers: number, chunkOperations: number): JobRunner => {
  const batch = createBatch({
    concurrency,
    jobs: { engine, workers, chunkOperations, sliceOperations: chunkOperations, window: 2 * lanes },
  })
  const endpoint = batch.operations(things)
  return {
    close: batch.close,
    run: async (action, count) => {
      const operations = Array.from({ length: count }, () => ({ action }))
      const { body, status } = await endpoint.handle({
        ...requestDefaults,
        headers: { "content-type": "application/json", prefer: "respond-async" },
        body: { _tag: "Parsed", value: { operations } },
      })
      if (status !== 202) throw new Error(body)
      const { id } = JSON.parse(body) as { readonly id: string }
      while ((await engine.store.find(id))?.state !== "succeeded") await delay(20)
    },
  }
}
