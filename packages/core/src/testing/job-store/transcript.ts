/** Random commands to a store of jobs. */
import type { ChunkHold, ChunkRef, JobExtent } from "../../jobs/Job.ts"
import type { JobStore } from "../../jobs/JobStore.ts"
import { extentOf, hashOf, newChunks, newJob, noLimits } from "./samples.ts"

/** Numbers that are the same for the same seed. */
const random = (seed: number) => {
  let state = seed
  return (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/**
 * What a store answers to so many commands, which are the same for every store that answers the same.
 *
 * **Details** There are few jobs, keys, tenants and chunks, so that commands meet.
 */
export const transcriptOf = async function* (store: JobStore, commands: number, seed = 1): AsyncGenerator<string> {
  const pick = random(seed)
  const one = <Value>(values: ReadonlyArray<Value>): Value => values[pick(values.length)]!
  const tallies = [
    [2, 0, 0],
    [2, 0, 0],
    [2, 0, 0],
    [1, 1, 0],
    [1, 0, 1],
    [0, 2, 0],
    [0, 2, 0],
  ] as const
  const toTally = ([succeeded, failed, skipped]: readonly [number, number, number]) => ({ succeeded, failed, skipped })
  const extents = new Map<string, JobExtent>()
  const holds: Array<ChunkHold> = []
  const ids: Array<string> = []
  let now = 1_800_000_000_000

  const make = () => {
    ids.unshift(hashOf(`job-${seed}-${pick(1_000_000)}`).slice(0, 22))
    ids.splice(3)
    const tenant = one([undefined, "a", "b"])
    return newJob({ id: ids[0]!, tenant, key: one([undefined, hashOf("x"), hashOf("y")]), lifeMs: 300_000 })
  }
  const limits = { queuedOperations: 16, jobsPerTenant: 1 }
  const shape = () => {
    const chunks = newChunks(1 + pick(5))
    return [chunks, extentOf(chunks, { window: 1 + pick(3), fingerprint: hashOf(one(["f", "g"])) })] as const
  }
  const id = () => one(ids)
  const hold = () => one(holds)
  const restart = async ({ job, chunk, dispatch }: Pick<ChunkRef, "job" | "chunk"> & Partial<ChunkRef>) => {
    const started = await store.start({ job, chunk, ...(dispatch !== undefined && { dispatch }) }, now)
    if (started !== undefined) holds.unshift(started.hold)
    holds.splice(6)
    return started
  }
  const start = () => {
    const dispatch = one([undefined, undefined, undefined, undefined, undefined, undefined, 0, 1])
    return restart({ job: id(), chunk: pick(5), ...(dispatch !== undefined && { dispatch }) })
  }
  const commit = (of: ChunkHold) => {
    const halt = pick(4) === 0 ? "SKIPPED" : undefined
    return store.commit(of, { results: `"${pick(99)}"`, tally: toTally(one(tallies)), halt }, 60_000, {}, now)
  }
  const twice = async (act: () => Promise<unknown>) => [await act(), pick(4) === 0 ? await act() : undefined]
  const actions: ReadonlyArray<readonly [weight: number, act: () => Promise<unknown>]> = [
    [
      8,
      async () => {
        if (pick(6) > 0 && (await store.queued()) > 8) return store.find(id(), now)
        const [chunks, extent] = shape()
        const job = make()
        extents.set(job.id, extent)
        return twice(() => store.submit(job, extent, chunks, limits, {}, now))
      },
    ],
    [
      1,
      async () => {
        const [chunks, extent] = shape()
        const job = make()
        extents.set(job.id, extent)
        await store.open(job, now)
        const isThere = await twice(() => store.append(job.id, chunks, now))
        if (pick(4) === 0) await store.discard(job.id)
        const found = [await store.find(job.id, now), await restart({ job: job.id, chunk: 0 })]
        const within = one([limits, noLimits])
        return [isThere, found, await twice(() => store.close(job.id, extent, within, {}, now))]
      },
    ],
    [1, () => store.discard(id())],
    [1, () => store.append(id(), newChunks(7), now)],
    [
      1,
      async () => {
        const [job, extent] = one([...extents].slice(-3))
        const found = await store.find(job, now)
        return found?.state === "forgotten" ? found : store.close(job, extent, limits, {}, now)
      },
    ],
    [12, start],
    [
      24,
      async () => {
        const started = await start()
        if (started === undefined) return undefined
        const committed = await twice(() => commit(started.hold))
        const query = { from: 0, limit: 9, onlyFailed: pick(2) === 0 }
        return [started, committed, await store.results(started.hold.job, query, now)]
      },
    ],
    [8, () => commit(hold())],
    [
      6,
      async () => {
        const of = hold()
        const keep = (at: number) =>
          store.checkpoint(of, { at, results: `{"n":${pick(9)}}`, tally: toTally([1, 0, 0]) }, now)
        // One after the other, without gaps.
        const kept = [await keep(0), pick(2) === 0 ? await keep(1) : undefined]
        return [kept, pick(3) === 0 ? await restart(of) : undefined]
      },
    ],
    [8, () => store.postpone(hold(), 1_000 * pick(5), now)],
    [10, () => store.find(id(), now)],
    [10, () => store.results(id(), { from: pick(3), limit: 1 + pick(4), onlyFailed: pick(2) === 0 }, now)],
    [
      4,
      async () => {
        const job = id()
        const refs = await store.cancel(job, 60_000, now)
        // Those that were sent once: others may be forgotten or not.
        const once = refs?.filter(({ dispatch }) => dispatch === 0)
        const again = await restart({ job, chunk: pick(3) })
        return [once, again, await store.results(job, { from: 0, limit: 9, onlyFailed: false }, now)]
      },
    ],
    [
      1,
      async () => {
        // A job that may be halted while another of its chunks runs; that one is given back, and the job stopped.
        const job = id()
        const [first, second] = [await restart({ job, chunk: 0 }), await restart({ job, chunk: 1 })]
        if (first === undefined || second === undefined) return [first, second]
        const halt = one(["SKIPPED", undefined])
        const outcome = { results: `"0"`, tally: toTally([0, 2, 0]), halt }
        const part = { at: 0, results: `"1"`, tally: toTally([1, 0, 0]) }
        const isKept = pick(2) === 0 && (await store.checkpoint(second.hold, part, now))
        const isEarly = pick(2) === 0
        const early = isEarly && (await store.postpone(second.hold, 1_000, now))
        const committed = await store.commit(first.hold, outcome, 60_000, {}, now)
        const ref = isEarly ? early : await store.postpone(second.hold, 1_000, now)
        const refs = await store.cancel(job, 60_000, now)
        const results = await store.results(job, { from: 0, limit: 9, onlyFailed: false }, now)
        const silent = (await store.overdue(2_000, 100, now)).map((each) => JSON.stringify(each)).sort()
        const again = await restart({ job, chunk: 1 })
        const ended = again && (await commit(again.hold))
        return [committed, isKept, ref, refs, results, silent, again, ended]
      },
    ],
    [2, () => store.cancelled(ids)],
    [
      6,
      async () => {
        // In whatever order.
        const refs = await store.overdue(2_000, 100, now)
        return refs.map((ref) => JSON.stringify(ref)).sort()
      },
    ],
    [2, () => store.sweep(100, 60_000, now)],
    [3, () => store.queued()],
  ]
  const wheel = actions.flatMap(([weight, act]) => Array.from({ length: weight }, () => act))

  for (const chunk of [0, 1, 2]) holds.push({ job: "nobody's", chunk, epoch: 1 })
  const [chunks, extent] = shape()
  const first = make()
  extents.set(first.id, extent)
  await store.submit(first, extent, chunks, limits, {}, now)
  for (let command = 0; command < commands; command++) {
    now += one([0, 0, 1, 500, 1_000, 2_000])
    if (pick(60) === 0) now += one([30_000, 60_000, 300_000])
    const answer = await one(wheel)().catch((error: Error) => error.message)
    yield JSON.stringify([command, answer])
  }
}
