/** Pseudorandom commands to a job store, and what it answers. */
import type { ChunkHold, ChunkPart, ChunkRef, JobExtent } from "../../jobs/Job.ts"
import type { JobStore } from "../../jobs/JobStore.ts"
import { extentOf, hashOf, newChunks, newJob, noLimits } from "./samples.ts"

/** A generator of numbers below a bound that are the same for the same seed. */
const randomOf = (seed: number) => {
  let state = seed
  return (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

type Action = () => Promise<unknown>

/** Outcomes of a chunk of two operations. */
const endings = ["ss", "ss", "ss", "sf", "s-", "ff", "ff"]

const limits = { queuedOperations: 16, jobsPerTenant: 1 }
const keepMs = 60_000

/**
 * Yields the answers to pseudorandom commands. Stores that behave in the same way answer the same.
 *
 * **Details** There are few jobs, keys, tenants and chunks, so that commands affect each other.
 */
export const transcriptOf = async function* (store: JobStore, commands: number, seed = 1): AsyncGenerator<string> {
  const random = randomOf(seed)
  const one = <Value>(values: ReadonlyArray<Value>): Value => values[random(values.length)]!
  const extents = new Map<string, JobExtent>()
  const holds: Array<ChunkHold> = []
  const ids: Array<string> = []
  let now = 1_800_000_000_000

  const makeJob = () => {
    const chunks = newChunks(1 + random(5))
    const extent = extentOf(chunks, { window: 1 + random(3), fingerprint: hashOf(one(["f", "g"])) })
    ids.unshift(hashOf(`job-${seed}-${random(1_000_000)}`).slice(0, 22))
    ids.splice(3)
    const tenant = one([undefined, "a", "b"])
    const job = newJob({ id: ids[0]!, tenant, key: one([undefined, hashOf("x"), hashOf("y")]), lifeMs: 300_000 })
    extents.set(job.id, extent)
    return { job, extent, chunks }
  }
  const id = () => one(ids)
  const hold = () => one(holds)
  const start = async ({ job, chunk, dispatch }: Pick<ChunkRef, "job" | "chunk"> & Partial<ChunkRef>) => {
    const started = await store.start({ job, chunk, ...(dispatch !== undefined && { dispatch }) }, now)
    if (started !== undefined) holds.unshift(started.hold)
    holds.splice(6)
    return started
  }
  const startAny = () => {
    const dispatch = one([undefined, undefined, undefined, undefined, undefined, undefined, 0, 1])
    return start({ job: id(), chunk: random(5), ...(dispatch !== undefined && { dispatch }) })
  }
  const commit = (held: ChunkHold) => {
    const halt = random(4) === 0 ? "SKIPPED" : undefined
    return store.commit(held, { results: `"${random(99)}"`, outcomes: one(endings), halt }, keepMs, {}, now)
  }
  const maybeTwice = async (act: Action) => [await act(), random(4) === 0 ? await act() : undefined]
  const read = (job: string, onlyFailed = false) => store.results(job, { from: 0, limit: 9, onlyFailed }, now)

  const submit: Action = async () => {
    if (random(6) > 0 && (await store.queued()) > 8) return store.find(id(), now)
    const { job, extent, chunks } = makeJob()
    return maybeTwice(() => store.submit(job, extent, chunks, limits, {}, now))
  }
  const upload: Action = async () => {
    const { job, extent, chunks } = makeJob()
    await store.open(job, now)
    const appended = await maybeTwice(() => store.append(job.id, chunks, now))
    if (random(4) === 0) await store.discard(job.id)
    const found = [await store.find(job.id, now), await start({ job: job.id, chunk: 0 })]
    const either = one([limits, noLimits])
    return [appended, found, await maybeTwice(() => store.close(job.id, extent, either, {}, now))]
  }
  const closeAgain: Action = async () => {
    const [job, extent] = one([...extents].slice(-3))
    const found = await store.find(job, now)
    return found?.state === "forgotten" ? found : store.close(job, extent, limits, {}, now)
  }
  const runChunk: Action = async () => {
    const started = await startAny()
    if (started === undefined) return undefined
    const committed = await maybeTwice(() => commit(started.hold))
    return [started, committed, await read(started.hold.job, random(2) === 0)]
  }
  const checkpoint: Action = async () => {
    const held = hold()
    const keep = (at: number) => store.checkpoint(held, { at, results: `{"n":${random(9)}}`, outcomes: "s" }, now)
    // In order and without gaps.
    const kept = [await keep(0), random(2) === 0 ? await keep(1) : undefined]
    return [kept, random(3) === 0 ? await start(held) : undefined]
  }
  const cancel: Action = async () => {
    const job = id()
    const refs = await store.cancel(job, keepMs, now)
    // Refs that were sent several times are not compared: a store may return them or not.
    const sentOnce = refs?.filter(({ dispatch }) => dispatch === 0)
    const again = await start({ job, chunk: random(3) })
    return [sentOnce, again, await read(job)]
  }
  // One chunk may halt the job while another one runs, which is postponed, and then the job is cancelled.
  const haltAndCancel: Action = async () => {
    const job = id()
    const [first, second] = [await start({ job, chunk: 0 }), await start({ job, chunk: 1 })]
    if (first === undefined || second === undefined) return [first, second]
    const outcome = { results: `"0"`, outcomes: "ff", halt: one(["SKIPPED", undefined]) }
    const part: ChunkPart = { at: 0, results: `"1"`, outcomes: "s" }
    const isKept = random(2) === 0 && (await store.checkpoint(second.hold, part, now))
    const isPostponedFirst = random(2) === 0
    const early = isPostponedFirst && (await store.postpone(second.hold, 1_000, now))
    const committed = await store.commit(first.hold, outcome, keepMs, {}, now)
    const ref = isPostponedFirst ? early : await store.postpone(second.hold, 1_000, now)
    const refs = await store.cancel(job, keepMs, now)
    const results = await read(job)
    const silent = await overdue()
    const again = await start({ job, chunk: 1 })
    const ended = again && (await commit(again.hold))
    return [committed, isKept, ref, refs, results, silent, again, ended]
  }
  // In any order.
  const overdue = async () => (await store.overdue(2_000, 100, now)).map((ref) => JSON.stringify(ref)).sort()

  const actions: ReadonlyArray<readonly [weight: number, act: Action]> = [
    [8, submit],
    [1, upload],
    [1, () => store.discard(id())],
    [1, () => store.append(id(), newChunks(7), now)],
    [1, closeAgain],
    [12, startAny],
    [24, runChunk],
    [8, () => commit(hold())],
    [6, checkpoint],
    [8, () => store.postpone(hold(), 1_000 * random(5), now)],
    [10, () => store.find(id(), now)],
    [10, () => store.results(id(), { from: random(3), limit: 1 + random(4), onlyFailed: random(2) === 0 }, now)],
    [4, cancel],
    [1, haltAndCancel],
    [2, () => store.cancelled(ids)],
    [6, overdue],
    [2, () => store.sweep(100, 60_000, now)],
    [3, () => store.queued()],
  ]
  const wheel = actions.flatMap(([weight, act]) => Array.from({ length: weight }, () => act))

  for (const chunk of [0, 1, 2]) holds.push({ job: "unknown", chunk, epoch: 1 })
  const first = makeJob()
  await store.submit(first.job, first.extent, first.chunks, limits, {}, now)
  for (let command = 0; command < commands; command++) {
    now += one([0, 0, 1, 500, 1_000, 2_000])
    if (random(60) === 0) now += one([30_000, 60_000, 300_000])
    const answer = await one(wheel)().catch((error: Error) => error.message)
    yield JSON.stringify([command, answer])
  }
}
