/** Batches with keys, on a store that is watched and can be made to fail, by a clock that the test turns. */
import { hash } from "node:crypto"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import type { BatchError } from "../../src/batch/BatchError.ts"
import * as Limits from "../../src/batch/Limits.ts"
import type { Operation } from "../../src/batch/Operation.ts"
import { OperationResult } from "../../src/batch/OperationResult.ts"
import { failure, internalFailure, isFailure } from "../../src/batch/Failure.ts"
import * as Plan from "../../src/planning/Plan.ts"
import { partial, type Strategy } from "../../src/batch/Strategy.ts"
import { BatchEngine, type BatchRun, type EngineOptions } from "../../src/engine/BatchEngine.ts"
import * as BatchMetrics from "../../src/engine/BatchMetrics.ts"
import type { IdempotencySettings } from "../../src/idempotency/IdempotencySettings.ts"
import { CurrentDigest } from "../../src/platform/Digest.ts"
import type { Dispatcher } from "../../src/batch/Dispatcher.ts"
import type {
  Acquired,
  AcquireItem,
  IdempotencyStore,
  IdempotencyTimes,
  Settled,
  SettleItem,
} from "../../src/idempotency/IdempotencyStore.ts"
import { memoryIdempotencyStore } from "../../src/idempotency/memoryIdempotencyStore.ts"
import type { ScriptedDatabase, ScriptedTransaction } from "./ScriptedDatabase.ts"
import { operation } from "./operation.ts"

/**
 * What a store does with one call. `lost`: it does it, and the answer does not come. `dead`: it does nothing, and no
 * answer comes either. `slow` ones take 200 ms, `late` ones 6 s.
 */
export type Manner = "good" | "before" | "lost" | "dead" | "hang" | "slow" | "late" | "refused" | "vanish"

/** One call that a store was asked. */
export interface Asked {
  readonly call: "acquire" | "settle" | "settleIn"
  readonly items: ReadonlyArray<AcquireItem | SettleItem>
  readonly times: IdempotencyTimes
}

/** How a batch was answered. */
export interface Ran extends Partial<Omit<BatchRun, "recorded">> {
  /** Whether results could not be recorded. */
  readonly unrecorded?: boolean
  readonly operations: ReadonlyArray<Operation>
  readonly refusal: BatchError | undefined
}

/** A batch to run. */
export interface Given {
  readonly operations: ReadonlyArray<Operation>
  readonly key?: string | undefined
  /** Default: `t`. */
  readonly tenant?: string | undefined
  /** Whether nobody knows who is calling. */
  readonly anonymous?: boolean
  readonly strategy?: Strategy
  readonly run?: Dispatcher<unknown>["run"]
  readonly runMany?: Dispatcher<unknown>["runMany"]
  readonly prepare?: Dispatcher<unknown>["prepare"]
  readonly coalesces?: Dispatcher<unknown>["coalesces"]
  readonly gone?: AbortSignal
  readonly limits?: Limits.LimitsOptions
  readonly options?: Partial<EngineOptions>
  readonly settings?: Partial<IdempotencySettings>
}

/** A handler that does not answer. */
export const never = () => new Promise<never>(() => {})

/** Lets everything happen that needs no time. */
export const soon = Effect.promise(async () => {
  for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve))
})

/** A world of one store and one clock. */
export class World {
  /** How the next calls go, by their names; beyond, they go well. */
  readonly manners: { acquire: Array<Manner>; settle: Array<Manner>; settleIn: Array<Manner> } = {
    acquire: [],
    settle: [],
    settleIn: [],
  }
  /** How calls go that nothing is said of. */
  manner: Manner = "good"
  readonly asked: Array<Asked> = []
  /** Milliseconds, by the clock of the test. */
  nowMs = 1_800_000_000_000
  readonly memory: IdempotencyStore
  private readonly history: Array<(store: IdempotencyStore) => Promise<unknown>> = []
  readonly store: IdempotencyStore
  settings: Partial<IdempotencySettings>

  constructor(settings: Partial<IdempotencySettings> = {}, database?: ScriptedDatabase) {
    this.settings = settings
    const memory = memoryIdempotencyStore({ now: () => this.nowMs })
    this.memory = {
      ...memory,
      acquire: (items, times) => this.applied((store, now) => store.acquire(items, { ...times, now }), memory),
      settle: (items, times) => this.applied((store, now) => store.settle(items, { ...times, now }), memory),
      purge: (limit, now) => this.applied((store) => store.purge(limit, now), memory),
    }
    this.store = {
      ...this.memory,
      acquire: (items, times) =>
        this.call<Acquired>({ call: "acquire", items, times }, () => this.memory.acquire(items, times), {
          _tag: "in-progress",
          retryAfterMs: 1,
        }),
      settle: (items, times) => {
        const settle = () => this.memory.settle(items, times)
        const connected = database === undefined ? settle : () => database.connected(settle)
        return this.call<Settled>({ call: "settle", items, times }, connected, "refused")
      },
      ...(database !== undefined && {
        settleIn: (transaction: unknown, items: ReadonlyArray<SettleItem>, times: IdempotencyTimes) => {
          const { settled } = transaction as ScriptedTransaction
          const settle = async () => {
            settled.push({ items, times })
            return this.rehearse(settled)
          }
          return this.call<Settled>({ call: "settleIn", items, times }, settle, "refused")
        },
      }),
    }
    if (database !== undefined) database.store = this.memory
  }

  private applied<A>(
    apply: (store: IdempotencyStore, now: number) => Promise<A>,
    memory: IdempotencyStore,
  ): Promise<A> {
    const now = this.nowMs
    this.history.push((store) => apply(store, now))
    return apply(memory, now)
  }

  // What the store would answer to the last of these, on another one to which everything has happened that happened to it.
  private async rehearse(settled: ScriptedTransaction["settled"]): Promise<ReadonlyArray<Settled>> {
    const other = memoryIdempotencyStore({ now: () => this.nowMs })
    for (const apply of this.history) await apply(other)
    let last: ReadonlyArray<Settled> = []
    for (const { items, times } of settled) last = await other.settle(items, times)
    return last
  }

  private async call<A>(asked: Asked, run: () => Promise<ReadonlyArray<A>>, refused: A): Promise<ReadonlyArray<A>> {
    this.asked.push(asked)
    const manner = this.manners[asked.call].shift() ?? this.manner
    const unreachable = new Error("ECONNREFUSED")
    switch (manner) {
      case "good":
        return run()
      case "before":
        throw unreachable
      case "lost":
        await run()
        throw unreachable
      case "dead":
        return never()
      case "hang":
        await run()
        return never()
      case "slow":
      case "late": {
        const until = this.nowMs + (manner === "slow" ? 200 : 6000)
        while (this.nowMs < until) await new Promise((resolve) => setImmediate(resolve))
        return run()
      }
      case "refused":
        return asked.items.map(() => refused)
      case "vanish":
        await this.memory.purge(Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)
        return run()
    }
  }

  /** How often the store was asked so, or what it was asked then. */
  count(call: Asked["call"]): number {
    return this.asked.filter((each) => each.call === call).length
  }

  actions(): ReadonlyArray<string> {
    return this.asked.flatMap(({ call, items }) =>
      call === "acquire" ? [] : items.map((item) => ("action" in item ? item.action._tag : "")),
    )
  }

  /** States of all keys that were ever asked for. */
  async states(): Promise<ReadonlyMap<string, string>> {
    const keys = new Set(this.asked.flatMap(({ items }) => items.map(({ key }) => key)))
    const states = new Map<string, string>()
    for (const key of keys) {
      const record = await this.memory.peek(key)
      const isPending = record?.state === "pending" || record?.state === "held"
      states.set(
        key,
        isPending && record.leaseLeftMs <= 0 ? `${record.state}, lease over` : (record?.state ?? "absent"),
      )
    }
    return states
  }

  /** Lets time pass. */
  pass(milliseconds: number, step = 50): Effect.Effect<void> {
    const one = Effect.suspend(() => {
      this.nowMs += step
      return Effect.andThen(TestClock.adjust(step), soon)
    })
    return Effect.replicateEffect(one, Math.ceil(milliseconds / step), { discard: true })
  }

  /** Runs a batch, for as much time as it takes. */
  run(given: Given): Effect.Effect<Ran> {
    return Effect.flatMap(this.start(given), (fiber) => this.until(fiber, 2000))
  }

  private until(fiber: Fiber.Fiber<Ran>, turns: number): Effect.Effect<Ran> {
    return Effect.suspend(() =>
      fiber.pollUnsafe() !== undefined || turns === 0
        ? Fiber.join(fiber)
        : Effect.andThen(this.pass(50), this.until(fiber, turns - 1)),
    )
  }

  /** Starts a batch. */
  start(given: Given): Effect.Effect<Fiber.Fiber<Ran>> {
    const starting = Effect.forkChild(this.batch(given), { startImmediately: true })
    return Effect.andThen(starting, (fiber) => Effect.as(soon, fiber))
  }

  private batch(given: Given): Effect.Effect<Ran> {
    const { operations, key, strategy = partial, runMany, tenant = "t" } = given
    const options: EngineOptions = {
      endpoint: "things",
      format: undefined,
      limits: Limits.make(given.limits),
      concurrency: 10,
      planner: Plan.make,
      policies: [],
      mapError: undefined,
      onUnexpected: () => {},
      unitOfWork: undefined,
      transactionSize: undefined,
      metrics: BatchMetrics.recorder("things"),
      ...given.options,
      idempotency: {
        store: this.store,
        ttlMs: 86_400_000,
        leaseMs: 15_000,
        required: false,
        failOpen: false,
        maxResultBytes: 65_536,
        onAmbiguous: () => "retry",
        sameTransaction: undefined,
        codec: undefined,
        scope: "tenant",
        ...this.settings,
        ...given.settings,
      },
    }
    const dispatcher: Dispatcher<unknown> = {
      coalesces: given.coalesces ?? (() => runMany !== undefined),
      run: given.run ?? (() => OperationResult.success("done")),
      ...(runMany !== undefined && { runMany }),
      ...(given.prepare !== undefined && { prepare: given.prepare }),
    }
    const request = {
      batch: { operations, strategy },
      dispatcher,
      tenant: given.anonymous === true ? undefined : tenant,
      idempotencyKey: key,
      signal: given.gone,
    }
    const running = Effect.gen(function* () {
      const { run } = yield* BatchEngine
      const { recorded, ...ran } = yield* run(request, options)
      return { ...ran, unrecorded: !(yield* recorded), operations, refusal: undefined }
    })
    return Effect.scoped(running).pipe(
      Effect.catch((refusal) => Effect.succeed<Ran>({ operations, refusal })),
      Effect.provide(BatchEngine.layer),
      // At once: what another thread is waited for takes time that the clock of the test does not know of.
      Effect.provideService(CurrentDigest, (text) => hash("sha256", text, "base64url")),
    )
  }
}

/** Operations with a key each, or none where it is undefined; `input` is the payload. */
export const keyed = (
  ...keys: ReadonlyArray<string | undefined | (Partial<Operation<unknown>> & { readonly k?: string })>
): ReadonlyArray<Operation<unknown>> =>
  keys.map((given, index) => {
    const { k, ...more } = typeof given === "object" ? given : { k: given }
    return operation<unknown>({
      index,
      id: undefined,
      input: k ?? index,
      ...(k !== undefined && { idempotencyKey: k }),
      ...more,
    })
  })

/** What became of each: its value or code, `=` in front where it was replayed. */
export const told = ({ operations }: Pick<Ran, "operations">): ReadonlyArray<string> =>
  operations.map(({ result }) => {
    if (result === undefined) return "nothing"
    const { failure: why, value, replayed } = result
    return `${replayed ? "=" : ""}${why === undefined ? String(value) : why.code}`
  })

/** The code that a batch was refused with. */
export const code = ({ refusal }: Ran): string | undefined => refusal?.reason.code

/** A handler that counts what it did, by the input of the operation. */
export const counting = (
  answer: (input: unknown, count: number) => unknown = (input, count) => `${String(input)}${count}`,
) => {
  const counts = new Map<unknown, number>()
  const run = ({ input }: Pick<Operation, "input">): Promise<OperationResult> | OperationResult => {
    const count = (counts.get(input) ?? 0) + 1
    counts.set(input, count)
    const answered = answer(input, count)
    if (answered instanceof Promise) return answered.then(toResult)
    return toResult(answered)
  }
  return { run, counts, total: () => [...counts.values()].reduce((sum, count) => sum + count, 0) }
}

const toResult = (value: unknown): OperationResult => {
  if (value instanceof OperationResult) return value
  return isFailure(value) ? OperationResult.error(value) : OperationResult.success(value)
}

/** A handler's answers. */
export const notFound = failure("NOT_FOUND", "There is none")
export const crashed = OperationResult.error(internalFailure())
