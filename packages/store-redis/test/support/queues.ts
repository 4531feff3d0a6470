import type { ChunkQueue, ChunkRef, Delivery } from "@multistatus/core/store"

export const refOf = (chunk: number, job = "abcdefghijklmnopqrstuv"): ChunkRef => ({ job, chunk, dispatch: 0 })

/** Notes what a queue delivers, and does with it what it is told to. */
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

/** Soon enough for tests. */
export const swift = { lockDuration: "1 second", stalledInterval: 500, backoff: 20, attempts: 3 }
