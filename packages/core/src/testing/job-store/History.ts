/** Runs random commands on a store and on the model, and compares what they return. */
import { expect } from "vitest"
import type { ChunkHold, ChunkPart, NewJob } from "../../jobs/Job.ts"
import type { JobStore } from "../../jobs/JobStore.ts"
import type { Command, Ending } from "./Command.ts"
import { chunksOf, extentOf, lines, newHash, newJob, partOf, start } from "./Fixture.ts"
import { Model, type ModelHold } from "./Model.ts"

const lifeMs = 300_000
const keepMs = 60_000
const tombstoneMs = 30_000
const silentMs = 10_000
const limits = { queuedOperations: 24, jobsPerTenant: 2 }

/** A call that may be repeated. */
type Call = (store: JobStore) => Promise<void>

interface Held {
  readonly hold: ChunkHold
  readonly modelHold: ModelHold
}

/** One run of commands. */
export class History {
  private readonly counts: Map<string, number>
  private readonly model = new Model()
  private readonly keys = [newHash(), newHash(), newHash()]
  private readonly ids: Array<string> = []
  private readonly holds: Array<Held> = []
  private readonly updatedAt = new Map<string, number>()
  private readonly log: Array<string> = []
  private last: Call | undefined
  private now = start

  /** `counts` counts how often each outcome of a call has occurred. */
  constructor(counts: Map<string, number>) {
    this.counts = counts
  }

  /** Runs one command. Rejects with all commands so far if the store and the model differ. */
  async run(command: Command, store: JobStore): Promise<void> {
    this.log.push(`${this.now} ${JSON.stringify(command)}`)
    try {
      await this.runUnlogged(command, store)
      same(await store.queued(), this.model.queued())
      for (const id of this.ids.slice(0, 4)) await this.compareRecord(id, store)
    } catch (error) {
      throw new Error(`The store differs from the model after\n${this.log.join("\n")}\n${String(error)}`, {
        cause: error,
      })
    }
  }

  private async runUnlogged(command: Command, store: JobStore): Promise<void> {
    const { model } = this
    switch (command._tag) {
      case "submit":
        return this.submit(command, store)
      case "repeat":
        return this.last?.(store)
      case "wait":
        this.now += command.ms
        model.sweep(tombstoneMs, this.now)
        await store.sweep(1_000, tombstoneMs, this.now)
        this.last = undefined
        return undefined
      case "overdue": {
        const expected = model.overdue(silentMs, this.now)
        this.count(`overdue ${expected.length > 0 ? "some" : "none"}`)
        same(textsOf(await store.overdue(silentMs, 1_000, this.now)), textsOf(expected))
        same([...(await store.cancelled(this.ids))].sort(), [...model.cancelled(this.ids)].sort())
        return undefined
      }
      case "checkpoint":
      case "commit":
      case "postpone": {
        const held = this.holds[command.hold % Math.max(1, this.holds.length)]
        return held === undefined ? undefined : this.write(command, held, store)
      }
      case "start":
      case "cancel":
      case "results": {
        const id = this.ids[command.job]
        return id === undefined ? undefined : this.callOnJob(command, id, store)
      }
    }
  }

  private submit(command: Extract<Command, { _tag: "submit" }>, store: JobStore): Promise<void> {
    const { sizes, window, key, tenant, fingerprint, isUpload } = command
    const chunks = chunksOf(...sizes)
    const extent = extentOf(chunks, { window, fingerprint: fingerprint.toString().repeat(43) })
    const job: NewJob = newJob({
      key: key === undefined ? undefined : this.keys[key]!,
      tenant: tenant === undefined ? undefined : `t${tenant}`,
      lifeMs,
    })
    const { jobsPerTenant, queuedOperations } = limits
    const ownLimits = { queuedOperations, jobsPerTenant: job.tenant === undefined ? undefined : jobsPerTenant }
    const expected = this.model.submit(job, extent, chunks, ownLimits, this.now)
    this.count(`submit ${expected._tag}`)
    this.ids.unshift(job.id)
    const { now } = this
    const call: Call = async (client) => {
      if (!isUpload) {
        return same(await client.submit(job, extent, chunks, ownLimits, undefined, now), expected)
      }
      await client.open(job, now)
      for (const chunk of chunks) same(await client.append(job.id, [chunk], now), true)
      return same(await client.close(job.id, extent, ownLimits, undefined, now), expected)
    }
    return this.call(store, call, expected._tag === "accepted" && !isUpload)
  }

  private callOnJob(
    command: Extract<Command, { _tag: "start" | "cancel" | "results" }>,
    id: string,
    store: JobStore,
  ): Promise<void> {
    const { model } = this
    switch (command._tag) {
      case "start": {
        // Nobody starts a chunk that is not due.
        const chunk = command.chunk % Math.max(1, model.due(id))
        return this.call(store, (client) => this.start(id, chunk, command.dispatch, client))
      }
      case "cancel":
        return this.call(store, async (client) => {
          const expected = model.cancel(id, keepMs, this.now)
          const returned = await client.cancel(id, keepMs, this.now)
          this.count(`cancel ${expected !== undefined}`)
          same(returned === undefined, expected === undefined)
          // A store may also return refs of chunks that were never sent.
          includes(textsOf(returned ?? []), textsOf(expected ?? []))
        })
      case "results":
        return this.call(store, async (client) => {
          const expected = model.results(id, command)
          const { chunks } = await client.results(id, command, this.now)
          this.count(`results ${expected.length > 0 ? "some" : "none"}`)
          // A page may be shorter than the limit, but only empty if there is nothing.
          same(chunks, expected.slice(0, Math.max(chunks.length, Math.min(1, expected.length))))
        })
    }
  }

  private async start(id: string, chunk: number, dispatch: number | undefined, store: JobStore): Promise<void> {
    const expected = this.model.start(id, chunk, dispatch, this.now)
    const started = await store.start({ job: id, chunk, ...(dispatch !== undefined && { dispatch }) }, this.now)
    this.count(`start ${expected !== undefined}`)
    same(started === undefined, expected === undefined)
    if (started === undefined || expected === undefined) return
    const { epoch, ...rest } = expected
    const { hold, ...seen } = started
    same({ ...seen, job: { ...seen.job, updatedAt: 0 } }, { ...rest, job: { ...rest.job, updatedAt: 0 } })
    const earlier = this.holds.filter((held) => held.hold.job === id && held.hold.chunk === chunk)
    for (const held of earlier) atLeast(hold.epoch, held.hold.epoch + 1)
    this.holds.unshift({ hold, modelHold: { job: id, chunk, epoch } })
    this.holds.splice(8)
  }

  private write(
    command: Extract<Command, { _tag: "checkpoint" | "commit" | "postpone" }>,
    { hold, modelHold }: Held,
    store: JobStore,
  ): Promise<void> {
    const { model, now } = this
    const held = model.held(modelHold)
    const { first, operations } = held?.definition ?? { first: 0, operations: 1 }
    switch (command._tag) {
      case "postpone":
        return this.call(store, async (client) => {
          const expected = model.postpone(modelHold, command.delayMs, now)
          this.count(`postpone ${expected !== undefined}`)
          same(await client.postpone(hold, command.delayMs, now), expected)
        })
      case "commit": {
        const outcomes = outcomesOf(operations, command.ending)
        const outcome = { results: lines(first, operations), outcomes, halt: command.halts ? "SKIPPED" : undefined }
        return this.call(store, async (client) => {
          const expected = model.commit(modelHold, outcome, keepMs, now)
          this.count(`commit ${expected._tag === "kept" && expected.hasEnded ? "ended" : expected._tag}`)
          same(await client.commit(hold, outcome, keepMs, undefined, now), expected)
        })
      }
      case "checkpoint": {
        const last = held?.parts.at(-1)
        const at = (last?.at ?? -1) + 1
        if (held !== undefined && at >= operations) return Promise.resolve()
        const part: ChunkPart = command.repeatsPart && last !== undefined ? last : partOf(at, 1, lines(first + at, 1))
        return this.call(store, async (client) => {
          const expected = model.checkpoint(modelHold, part, now)
          this.count(`checkpoint ${expected}`)
          same(await client.checkpoint(hold, part, now), expected)
        })
      }
    }
  }

  private async compareRecord(id: string, store: JobStore): Promise<void> {
    const expected = this.model.find(id)
    const found = await store.find(id, this.now)
    if (expected !== undefined) this.count(`state ${expected.state}`)
    if (found === undefined || found.state === "forgotten") return same(found, expected)
    const { updatedAt, ...rest } = found
    same(rest, expected)
    atLeast(updatedAt, this.updatedAt.get(id) ?? 0)
    this.updatedAt.set(id, updatedAt)
    return undefined
  }

  private async call(store: JobStore, call: Call, isRepeatable = true): Promise<void> {
    this.last = isRepeatable ? call : undefined
    await call(store)
  }

  private count(outcome: string): void {
    this.counts.set(outcome, (this.counts.get(outcome) ?? 0) + 1)
  }
}

const outcomesOf = (operations: number, ending: Ending): string => {
  const others = "s".repeat(operations - 1)
  switch (ending) {
    case "all succeed":
      return `${others}s`
    case "all fail":
      return "f".repeat(operations)
    case "one fails":
      return `${others}f`
    case "one is skipped":
      return `-${others}`
  }
}

const textsOf = (refs: ReadonlyArray<object>): ReadonlyArray<string> => refs.map((ref) => JSON.stringify(ref)).sort()

const same = (actual: unknown, expected: unknown): void => expect(actual).toEqual(expected)

const includes = (actual: ReadonlyArray<string>, expected: ReadonlyArray<string>): void =>
  expect(actual).toEqual(expect.arrayContaining([...expected]))

const atLeast = (actual: number, minimum: number): void => expect(actual).toBeGreaterThanOrEqual(minimum)
