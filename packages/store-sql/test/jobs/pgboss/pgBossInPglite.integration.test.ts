/** pg-boss in PGlite; its whole contract runs with the long tests. */
import type { ChunkRef } from "@multistatus/core/store"
import { afterAll, beforeAll, expect, it } from "vitest"

import { openPgBossInPglite } from "./pgBossBackends.ts"

let backend: Awaited<ReturnType<typeof openPgBossInPglite>>
beforeAll(async () => {
  backend = await openPgBossInPglite()
})
afterAll(() => backend.close())

it("delivers what a transaction sent that commits, again after a rejection, and nothing that was rolled back", async () => {
  const { queue, transaction } = backend
  const refs = [0, 1].map((chunk): ChunkRef => ({ job: "pglite", chunk, dispatch: 0 }))
  const delivered: Array<number> = []
  const consumer = await queue.consume(
    {
      run: async ({ ref, complete }) => {
        delivered.push(ref.chunk)
        if (delivered.length === 1) throw new Error("rejected on purpose")
        await transaction((handle) => complete!(handle))
      },
      dead: async () => {},
    },
    1,
  )
  const undone = transaction(async (handle) => {
    await queue.enqueue(refs.slice(0, 1), { transaction: handle })
    throw new Error("rolled back on purpose")
  })
  await expect(undone).rejects.toThrow("on purpose")
  await transaction((handle) => queue.enqueue(refs.slice(1), { transaction: handle }))
  await expect.poll(() => delivered, { timeout: 15_000 }).toEqual([1, 1])
  await consumer.close(1_000)
})
