import type { ChunkQueue, ChunkRef, Delivery } from "@multistatus/core/store"

export const refOf = (chunk: number, job = "abcdefghijklmnopqrstuv"): ChunkRef => ({ job, chunk, dispatch: 0 })

/** Handlers that record the refs they get, and run a function with each delivery. */
export const recorder = (run: (delivery: Delivery) => Promise<void> = async () => {}) => {
  const delivered: Array<ChunkRef> = []
  const dead: Array<ChunkRef> = []
  const handlers: Parameters<ChunkQueue["consume"]>[0] = {
    run: async (delivery) => {
      delivered.push(delivery.ref)
      await run(delivery)
    },
    dead: async (ref) => {
      dead.push(ref)
    },
  }
  return { delivered, dead, handlers }
}

/** Short times for tests. */
export const swift = { lockDuration: "1 second", stalledInterval: 500, backoff: 20, attempts: 3 }
