import type { ChunkHandlers, ChunkQueue, JobStore } from "@multistatus/core/store"
import { setTimeout as sleep } from "node:timers/promises"
import { JobStoreContract } from "@multistatus/core/testing"

const { bothSucceeded, keepMs } = JobStoreContract

/** As little as it takes to run jobs: what a store has is due is sent, and what is delivered is run. */
export const engine = (store: JobStore, queue: ChunkQueue, chunkMs = 20) => {
  const ran: Array<number> = []
  const handlers: ChunkHandlers = {
    run: async ({ ref, signal }) => {
      const started = await store.start(ref)
      if (started === undefined) return
      await sleep(chunkMs, undefined, { signal })
      ran.push(ref.chunk)
      const committed = await store.commit(started.hold, bothSucceeded, keepMs)
      if (committed._tag === "kept") await queue.enqueue(committed.due)
    },
    dead: async () => {},
  }
  const reconcile = async (silentMs: number): Promise<void> => {
    const refs = await store.overdue(silentMs, 100)
    if (refs.length > 0) await queue.enqueue(refs)
  }
  return { ran, handlers, reconcile }
}
