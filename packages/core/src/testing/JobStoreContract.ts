/**
 * What a store of jobs owes, as tests: the contract of the port `JobStore`. Needs vitest.
 *
 * **Details** A store is tested as its users have it, against its real server, through two clients. Most of it is said by
 * `memoryJobStore`: random commands, with the time passed along, must be answered as it answers them.
 *
 * **Example** (A store of one's own)
 * ```ts
 * import { JobStoreContract } from "@multistatus/core/testing"
 *
 * JobStoreContract.suite("mine", async () => ({ store: await open(), other: await open(), close }))
 * ```
 *
 * @since 0.1.0
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { JobStore } from "../ports/JobStore.ts"
import { memoryJobStore } from "../stores/memoryJobStore.ts"
import { both, extentOf, keepMs, newChunks, newJob, noLimits, results } from "./JobStoreContractFixture.ts"
import { transcriptOf } from "./JobStoreContractTranscript.ts"

export { both, extentOf, hashOf, keepMs, newChunks, newJob, noLimits, results } from "./JobStoreContractFixture.ts"
export { transcriptOf } from "./JobStoreContractTranscript.ts"

/** A store without jobs, and another one on the same backend: a second process. @category models @since 0.1.0 */
export interface Backend {
  readonly store: JobStore
  /** Default: the store itself. */
  readonly other?: JobStore | undefined
  readonly close?: (() => Promise<unknown>) | undefined
  /** Runs work in a transaction that is rolled back if it rejects; where the store takes part in transactions. */
  readonly transaction?: (<A>(work: (handle: unknown) => Promise<A>) => Promise<A>) | undefined
}

/** How a store is put to the test. @category models @since 0.1.0 */
export interface SuiteOptions {
  /** Random commands. Default 2,000. */
  readonly commands?: number | undefined
  /** Milliseconds that they may take. Default 120,000. */
  readonly timeoutMs?: number | undefined
}

/** Declares the tests of a store. @category testing @since 0.1.0 */
export const suite = (
  name: string,
  make: () => Backend | Promise<Backend>,
  { commands = 2_000, timeoutMs = 120_000 }: SuiteOptions = {},
): void => {
  describe(`JobStore (${name})`, () => {
    let opened: Backend
    beforeAll(async () => {
      opened = await make()
    })
    afterAll(() => opened?.close?.())

    const submit = (store: JobStore, job = newJob(), chunks = newChunks(2), limits = noLimits) =>
      store.submit(job, extentOf(chunks), chunks, limits)

    it("answers random commands as the store in memory does", { timeout: timeoutMs }, async () => {
      const fresh = await make()
      const expected = transcriptOf(memoryJobStore(), commands)
      for await (const answer of transcriptOf(fresh.store, commands)) {
        expect(JSON.parse(answer)).toEqual(JSON.parse(String((await expected.next()).value)))
      }
      await fresh.close?.()
    })

    it("keeps texts of any characters and any size", async () => {
      const { store } = opened
      const text = JSON.stringify({ text: `\u{1F600}\u0000'"\\%\u2028${"x".repeat(1_000_000)}` })
      const job = newJob({ tenant: "\u{1F600} '\\" })
      const chunk = { index: 0, first: 0, operations: 1, payload: text }
      await store.submit(job, extentOf([chunk]), [chunk], noLimits)
      const started = (await store.start({ job: job.id, chunk: 0 }))!
      expect([started.payload, started.job.tenant]).toEqual([text, job.tenant])
      const tally = { succeeded: 1, failed: 0, skipped: 0 }
      await store.commit(started.hold, { results: text, tally, halt: undefined }, keepMs)
      const { chunks } = await store.results(job.id, { from: 0, limit: 1, onlyFailed: false })
      expect(chunks[0]!.results).toBe(text)
    })

    it("never has more operations waiting than it may, whoever hands in jobs at once", async () => {
      const { store, other = store } = opened
      const limits = { queuedOperations: (await store.queued()) + 42, jobsPerTenant: undefined }
      const stores = [store, other]
      const admissions = await Promise.all(
        Array.from({ length: 100 }, (_, index) => submit(stores[index % 2]!, newJob(), newChunks(2), limits)),
      )
      expect(admissions.filter(({ _tag }) => _tag === "accepted")).toHaveLength(10)
      expect(admissions.filter(({ _tag }) => _tag === "full")).toHaveLength(90)
    })

    it("makes one job of many with one key, whoever hands them in at once", async () => {
      const { store, other = store } = opened
      const key = newJob().id.padEnd(43, "k")
      const admissions = await Promise.all(
        Array.from({ length: 20 }, (_, index) => submit([store, other][index % 2]!, newJob({ key }))),
      )
      expect(admissions.filter(({ _tag }) => _tag === "accepted")).toHaveLength(1)
      expect(new Set(admissions.flatMap((each) => (each._tag === "exists" ? [each.id] : []))).size).toBe(1)
    })

    it("gives every chunk one result, whoever starts and commits it at once", async () => {
      const { store, other = store } = opened
      const job = newJob()
      const chunks = newChunks(6)
      await store.submit(job, extentOf(chunks, { window: 6 }), chunks, noLimits)
      const run = async (worker: JobStore) => {
        let kept = 0
        for (const { index } of chunks) {
          const started = await worker.start({ job: job.id, chunk: index })
          if (started === undefined) continue
          const commit = await worker.commit(started.hold, { results, tally: both, halt: undefined }, keepMs)
          if (commit._tag === "kept") kept++
        }
        return kept
      }
      const kept = await Promise.all([run(store), run(other), run(store), run(other)])
      // A start that came between a start and its commit has ended that hold, and its own commit may have been the next.
      expect(kept.reduce((sum, each) => sum + each, 0)).toBe(6)
      expect(await store.find(job.id)).toMatchObject({ state: "succeeded", succeeded: 12 })
    })

    it("goes by its own clock where no time is given", async () => {
      const { store } = opened
      const job = newJob({ lifeMs: 60_000 })
      const before = Date.now()
      await submit(store, job)
      expect(await store.find(job.id)).toMatchObject({ state: "queued" })
      const found = await store.find(job.id)
      if (found === undefined || found.state === "forgotten") throw new Error("The job is gone")
      expect(Math.abs(found.createdAt - before)).toBeLessThan(10_000)
      expect(await store.overdue(60_000, 1000)).not.toContainEqual({ job: job.id, chunk: 0, dispatch: 1 })
    })

    it("takes part in transactions, where it says that it does", async () => {
      const { store, transaction } = opened
      expect(transaction !== undefined).toBe(store.isTransactional)
      if (transaction === undefined) return
      const chunks = newChunks(1)
      const undone = newJob()
      const failing = transaction(async (handle) => {
        await store.submit(undone, extentOf(chunks), chunks, noLimits, { transaction: handle })
        throw new Error("rolled back")
      })
      await expect(failing).rejects.toThrow("rolled back")
      expect(await store.find(undone.id)).toBeUndefined()
      const refused = newJob()
      const alongside = async () => {
        throw new Error("not sent")
      }
      await expect(store.submit(refused, extentOf(chunks), chunks, noLimits, { alongside })).rejects.toThrow("not sent")
      expect(await store.find(refused.id)).toBeUndefined()
      const kept = newJob()
      await transaction((handle) => store.submit(kept, extentOf(chunks), chunks, noLimits, { transaction: handle }))
      expect(await store.find(kept.id)).toMatchObject({ state: "queued" })
    })
  })
}
