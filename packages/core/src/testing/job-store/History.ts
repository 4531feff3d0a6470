/** Random commands, carried out by a store and by the model, and what they answer compared. */
import { expect } from "vitest"
import type { ChunkHold, ChunkPart, NewJob } from "../../jobs/Job.ts"
import type { JobStore } from "../../jobs/JobStore.ts"
import type { Command } from "./Command.ts"
import { chunksOf, extentOf, lines, newHash, newJob, start, tallyOf } from "./Fixture.ts"
import { Model, type ModelHold } from "./Model.ts"

const lifeMs = 300_000
const keepMs = 60_000
const tombstoneMs = 30_000
const silentMs = 10_000
const limits = { queuedOperations: 24, jobsPerTenant: 2 }

/** A call that is the same, however often it is made. */
type Repeatable = (store: JobStore) => Promise<void>

/** Carries out commands, one after another, by a store and by the model. */
export class History {
  private readonly counts: Map<string, number>
  private readonly model = new Model()
  private readonly keys = [newHash(), newHash(), newHash()]
  private readonly ids: Array<string> = []
  private readonly holds: Array<{ readonly real: ChunkHold; readonly own: ModelHold }> = []
  private readonly updatedAt = new Map<string, number>()
  private readonly log: Array<string> = []
  private last: Repeatable | undefined
  private now = start

  constructor(counts: Map<string, number>) {
    this.counts = counts
  }

  async carryOut(given: Command, store: JobStore): Promise<void> {
    this.log.push(`${this.now} ${JSON.stringify(given)}`)
    try {
      await this.run(given, store)
      alike(await store.queued(), this.model.queued())
      for (const id of this.ids.slice(0, 4)) await this.look(id, store)
    } catch (error) {
      throw new Error(`The store answers differently, after\n${this.log.join("\n")}\n${String(error)}`, {
        cause: error,
      })
    }
  }

  private async run(given: Command, store: JobStore): Promise<void> {
    const { model } = this
    switch (given._tag) {
      case "make":
        return this.make(given, store)
      case "again":
        return this.last?.(store)
      case "tick":
        this.now += given.ms
        model.sweep(tombstoneMs, this.now)
        // A call for what is over, one for tombstones that this left no time.
        await store.sweep(1_000, tombstoneMs, this.now)
        this.last = undefined
        return undefined
      case "start": {
        const id = this.ids[given.job]
        if (id === undefined) return undefined
        // What is not due yet nobody starts.
        const chunk = given.chunk % Math.max(1, model.due(id))
        return this.repeat(store, (by) => this.start(id, chunk, given.dispatch, by))
      }
      case "keep":
      case "commit":
      case "postpone": {
        const held = this.holds[given.hold % Math.max(1, this.holds.length)]
        return held === undefined ? undefined : this.settle(given, held, store)
      }
      case "cancel": {
        const id = this.ids[given.job]
        if (id === undefined) return undefined
        return this.repeat(store, async (by) => {
          const expected = model.cancel(id, keepMs, this.now)
          const answer = await by.cancel(id, keepMs, this.now)
          this.count(`cancel ${expected !== undefined}`)
          // Refs of chunks that were never sent may be among them.
          const wanted = new Set(expected?.map((ref) => JSON.stringify(ref)))
          const answered = answer?.map(textOf).filter((text) => wanted.has(text))
          alike(answered?.sort(), expected?.map(textOf).sort())
        })
      }
      case "overdue": {
        const expected = model.overdue(silentMs, this.now).map(textOf).sort()
        const answer = await store.overdue(silentMs, 1_000, this.now)
        this.count(`overdue ${expected.length > 0 ? "some" : "none"}`)
        alike(answer.map(textOf).sort(), expected)
        alike([...(await store.cancelled(this.ids))].sort(), [...model.cancelled(this.ids)].sort())
        return undefined
      }
      case "read": {
        const id = this.ids[given.job]
        if (id === undefined) return
        const expected = model.results(id, given)
        const { chunks } = await store.results(id, given, this.now)
        this.count(`read ${expected.length > 0 ? "some" : "none"}`)
        // A page may be shorter than was asked for, unless it is empty without need.
        alike(chunks, expected.slice(0, Math.max(chunks.length, Math.min(1, expected.length))))
        return undefined
      }
    }
  }

  private make({ sizes, window, key, tenant, print, way }: Extract<Command, { _tag: "make" }>, store: JobStore) {
    const chunks = chunksOf(...sizes)
    const extent = extentOf(chunks, { window, fingerprint: print.toString().repeat(43) })
    const job: NewJob = newJob({
      key: key === undefined ? undefined : this.keys[key]!,
      tenant: tenant === undefined ? undefined : `t${tenant}`,
      lifeMs,
    })
    const { jobsPerTenant, queuedOperations } = limits
    const own = { queuedOperations, jobsPerTenant: job.tenant === undefined ? undefined : jobsPerTenant }
    const expected = this.model.submit(job, extent, chunks, own, this.now)
    this.count(`make ${expected._tag}`)
    this.ids.unshift(job.id)
    return this.repeat(
      store,
      async (by) => {
        const { now } = this
        if (way === "whole") return alike(await by.submit(job, extent, chunks, own, undefined, now), expected)
        await by.open(job, now)
        for (const chunk of chunks) alike(await by.append(job.id, [chunk], now), true)
        return alike(await by.close(job.id, extent, own, undefined, now), expected)
      },
      expected._tag === "accepted" && way === "whole",
    )
  }

  private async start(id: string, chunk: number, dispatch: number | undefined, store: JobStore): Promise<void> {
    const expected = this.model.start(id, chunk, dispatch, this.now)
    const answer = await store.start({ job: id, chunk, ...(dispatch !== undefined && { dispatch }) }, this.now)
    this.count(`start ${expected !== undefined}`)
    if (expected === undefined) return alike(answer, undefined)
    const { epoch, ...rest } = expected
    const { hold, job, ...seen } = answer!
    alike({ ...seen, job: { ...job, updatedAt: 0 } }, { ...rest, job: { ...rest.job, updatedAt: 0 } })
    const before = this.holds.filter(({ real }) => real.job === id && real.chunk === chunk)
    for (const { real } of before) rises(real.epoch, hold.epoch, 1)
    this.holds.unshift({ real: hold, own: { job: id, chunk, epoch } })
    this.holds.splice(8)
    return undefined
  }

  private settle(
    given: Extract<Command, { _tag: "keep" | "commit" | "postpone" }>,
    { real, own }: { readonly real: ChunkHold; readonly own: ModelHold },
    store: JobStore,
  ): Promise<void> {
    const { model, now } = this
    const piece = model.held(own)
    const { first, operations } = piece?.of ?? { first: 0, operations: 1 }
    if (given._tag === "postpone") {
      return this.repeat(store, async (by) => {
        const expected = model.postpone(own, given.delayMs, now)
        this.count(`postpone ${expected !== undefined}`)
        alike(await by.postpone(real, given.delayMs, now), expected)
      })
    }
    if (given._tag === "commit") {
      const failed = Math.min(given.end === 1 ? operations : given.end === 2 ? 1 : 0, operations)
      const skipped = given.end === 3 ? 1 : 0
      const tally = tallyOf(operations - failed - skipped, failed, skipped)
      const outcome = { results: lines(first, operations), tally, halt: given.halts ? "SKIPPED" : undefined }
      return this.repeat(store, async (by) => {
        const expected = model.commit(own, outcome, keepMs, now)
        this.count(`commit ${expected._tag === "kept" && expected.hasEnded ? "ended" : expected._tag}`)
        alike(await by.commit(real, outcome, keepMs, undefined, now), expected)
      })
    }
    const last = piece?.parts.at(-1)
    const at = (last?.at ?? -1) + 1
    if (piece !== undefined && at >= operations) return Promise.resolve()
    const fresh: ChunkPart = { at, results: lines(first + at, 1), tally: tallyOf(1) }
    const part = given.again && last !== undefined ? last : fresh
    return this.repeat(store, async (by) => {
      const expected = model.checkpoint(own, part, now)
      this.count(`keep ${expected}`)
      alike(await by.checkpoint(real, part, now), expected)
    })
  }

  private async look(id: string, store: JobStore): Promise<void> {
    const expected = this.model.see(id)
    const answer = await store.find(id, this.now)
    if (expected !== undefined) this.count(`seen ${expected.state}`)
    if (answer === undefined || answer.state === "forgotten") return alike(answer, expected)
    const { updatedAt, ...seen } = answer
    alike(seen, expected)
    rises(this.updatedAt.get(id) ?? 0, updatedAt, 0)
    this.updatedAt.set(id, updatedAt)
    return undefined
  }

  private async repeat(store: JobStore, call: Repeatable, isRepeatable = true): Promise<void> {
    this.last = isRepeatable ? call : undefined
    await call(store)
  }

  private count(outcome: string): void {
    this.counts.set(outcome, (this.counts.get(outcome) ?? 0) + 1)
  }
}

const textOf = (ref: object): string => JSON.stringify(ref)

const alike = (answer: unknown, expected: unknown): void => expect(answer).toEqual(expected)

const rises = (from: number, to: number, by: number): void => expect(to).toBeGreaterThanOrEqual(from + by)
