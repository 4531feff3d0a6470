/**
 * Runs batches with idempotency keys on a store that is observed and can be made to fail, by a clock that the test advances.
 */
import { hash } from "node:crypto"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { type BatchSettings, resolveOptions } from "../../src/api/BatchSettings.ts"
import * as EndpointServices from "../../src/api/EndpointServices.ts"
import type { BatchError } from "../../src/batch/BatchError.ts"
import type { Dispatcher } from "../../src/batch/Dispatcher.ts"
import { failure, internalFailure, isFailure } from "../../src/batch/Failure.ts"
import * as Limits from "../../src/batch/Limits.ts"
import type { Operation } from "../../src/batch/Operation.ts"
import { OperationResult } from "../../src/batch/OperationResult.ts"
import { partial, type Strategy } from "../../src/batch/Strategy.ts"
import { BatchEngine, type BatchRun } from "../../src/engine/BatchEngine.ts"
import type { IdempotencySettings } from "../../src/idempotency/IdempotencySettings.ts"
import type {
  Acquired,
  AcquireItem,
  IdempotencyStore,
  IdempotencyTimes,
  Settled,
  SettleItem,
} from "../../src/idempotency/IdempotencyStore.ts"
import { memoryIdempotencyStore } from "../../src/idempotency/memoryIdempotencyStore.ts"
import { CurrentDigest } from "../../src/platform/Digest.ts"
import { operation } from "./operation.ts"
import type { ScriptedDatabase, ScriptedTransaction } from "./ScriptedDatabase.ts"

/**
 * How the store behaves in one call.
 *
 * | behaviour            | applies the call              | answers                |
 * | -------------------- | ----------------------------- | ---------------------- |
 * | `works`              | yes                           | at once                |
 * | `slow`               | yes                           | after 200 ms           |
 * | `late`               | yes                           | after 6 s              |
 * | `unreachable`        | no                            | with an error          |
 * | `answer lost`        | yes                           | with an error          |
 * | `no answer`          | no                            | never                  |
 * | `applied, no answer` | yes                           | never                  |
 * | `refuses`            | no                            | by refusing every item |
 * | `loses records`      | after it removed all records  | at once                |
 */
export type StoreBehaviour =
  | "works"
  | "slow"
  | "late"
  | "unreachable"
  | "answer lost"
  | "no answer"
  | "applied, no answer"
  | "refuses"
  | "loses records"

/** One call to the store. */
export interface StoreCall {
  readonly method: "acquire" | "settle" | "settleIn"
  readonly items: ReadonlyArray<AcquireItem | SettleItem>
  readonly times: IdempotencyTimes
}

/** A batch that has run or was refused. */
export interface RunResult extends Partial<Omit<BatchRun, "recorded">> {
  readonly operations: ReadonlyArray<Operation>
  readonly refusal: BatchError | undefined
  /** Whether results could not be recorded. */
  readonly unrecorded?: boolean
}

/** A batch to run. */
export interface BatchOptions {
  readonly operations: ReadonlyArray<Operation>
  /** The idempotency key of the batch. */
  readonly key?: string | undefined
  /** Default: `t`. */
  readonly tenant?: string | undefined
  /** Whether the request has no tenant. */
  readonly anonymous?: boolean
  readonly strategy?: Strategy
  /** Default: answers "done". */
  readonly run?: Dispatcher<unknown>["run"]
  readonly runMany?: Dispatcher<unknown>["runMany"]
  readonly prepare?: Dispatcher<unknown>["prepare"]
  readonly signal?: AbortSignal
  readonly stop?: AbortSignal
  readonly limits?: Limits.LimitsOptions
  /** Settings of the endpoint. Its name is `things` by default. */
  readonly options?: Partial<BatchSettings> & { readonly endpoint?: string }
  readonly settings?: Partial<IdempotencySettings>
}

/** A handler that never answers. */
export const neverAnswers = () => new Promise<never>(() => {})

/** Lets everything happen that takes no time. */
export const idle = Effect.promise(async () => {
  for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve))
})

export class IdempotencyHarness {
  /** How the next calls of each method behave. Calls beyond them have the `behaviour` of the harness. */
  readonly next: { acquire: Array<StoreBehaviour>; settle: Array<StoreBehaviour>; settleIn: Array<StoreBehaviour> } = {
    acquire: [],
    settle: [],
    settleIn: [],
  }
  behaviour: StoreBehaviour = "works"
  /** All calls that were sent to the store. */
  readonly calls: Array<StoreCall> = []
  /** Milliseconds, by the clock of the test. */
  nowMs = 1_800_000_000_000
  /** The store without its behaviours. */
  readonly memory: IdempotencyStore
  /** Changes that were applied to the store, for `rehearse`. */
  private readonly history: Array<(store: IdempotencyStore) => Promise<unknown>> = []
  readonly store: IdempotencyStore
  settings: Partial<IdempotencySettings>

  constructor(settings: Partial<IdempotencySettings> = {}, database?: ScriptedDatabase) {
    this.settings = settings
    const memory = memoryIdempotencyStore({ now: () => this.nowMs })
    this.memory = {
      ...memory,
      acquire: (items, times) => this.apply((store, now) => store.acquire(items, { ...times, now }), memory),
      settle: (items, times) => this.apply((store, now) => store.settle(items, { ...times, now }), memory),
      purge: (limit, now) => this.apply((store) => store.purge(limit, now), memory),
    }
    this.store = {
      ...this.memory,
      acquire: (items, times) =>
        this.call<Acquired>({ method: "acquire", items, times }, () => this.memory.acquire(items, times), {
          _tag: "in-progress",
          retryAfterMs: 1,
        }),
      settle: (items, times) => {
        const settle = () => this.memory.settle(items, times)
        const connected = database === undefined ? settle : () => database.connected(settle)
        return this.call<Settled>({ method: "settle", items, times }, connected, "refused")
      },
      ...(database !== undefined && {
        settleIn: (transaction: unknown, items: ReadonlyArray<SettleItem>, times: IdempotencyTimes) => {
          const { settled } = transaction as ScriptedTransaction
          const settle = async () => {
            settled.push({ items, times })
            return this.rehearse(settled)
          }
          return this.call<Settled>({ method: "settleIn", items, times }, settle, "refused")
        },
      }),
    }
    if (database !== undefined) database.store = this.memory
  }

  private apply<A>(change: (store: IdempotencyStore, now: number) => Promise<A>, memory: IdempotencyStore): Promise<A> {
    const now = this.nowMs
    this.history.push((store) => change(store, now))
    return change(memory, now)
  }

  // The answer that a transaction gets before it commits: that of a copy of the store, made by applying all changes again.
  private async rehearse(settled: ScriptedTransaction["settled"]): Promise<ReadonlyArray<Settled>> {
    const copy = memoryIdempotencyStore({ now: () => this.nowMs })
    for (const change of this.history) await change(copy)
    let answer: ReadonlyArray<Settled> = []
    for (const { items, times } of settled) answer = await copy.settle(items, times)
    return answer
  }

  private async call<A>(call: StoreCall, run: () => Promise<ReadonlyArray<A>>, refusal: A): Promise<ReadonlyArray<A>> {
    this.calls.push(call)
    const behaviour = this.next[call.method].shift() ?? this.behaviour
    const unreachable = new Error("ECONNREFUSED")
    switch (behaviour) {
      case "works":
        return run()
      case "unreachable":
        throw unreachable
      case "answer lost":
        await run()
        throw unreachable
      case "no answer":
        return neverAnswers()
      case "applied, no answer":
        await run()
        return neverAnswers()
      case "slow":
      case "late": {
        const until = this.nowMs + (behaviour === "slow" ? 200 : 6000)
        while (this.nowMs < until) await new Promise((resolve) => setImmediate(resolve))
        return run()
      }
      case "refuses":
        return call.items.map(() => refusal)
      case "loses records":
        await this.memory.purge(Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)
        return run()
    }
  }

  /** Counts the calls of a method. */
  count(method: StoreCall["method"]): number {
    return this.calls.filter((call) => call.method === method).length
  }

  /** The tags of all actions that were sent to the store. */
  actions(): ReadonlyArray<string> {
    return this.calls.flatMap(({ method, items }) =>
      method === "acquire" ? [] : items.map((item) => ("action" in item ? item.action._tag : "")),
    )
  }

  /** The states of all keys that were ever sent to the store. */
  async states(): Promise<ReadonlyMap<string, string>> {
    const keys = new Set(this.calls.flatMap(({ items }) => items.map(({ key }) => key)))
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

  /** Advances the clock in steps. */
  advance(milliseconds: number, step = 50): Effect.Effect<void> {
    const one = Effect.suspend(() => {
      this.nowMs += step
      return Effect.andThen(TestClock.adjust(step), idle)
    })
    return Effect.replicateEffect(one, Math.ceil(milliseconds / step), { discard: true })
  }

  /** Runs a batch, and advances the clock until it has ended. */
  run(batch: BatchOptions): Effect.Effect<RunResult> {
    return Effect.flatMap(this.start(batch), (fiber) => this.join(fiber, 2000))
  }

  private join(fiber: Fiber.Fiber<RunResult>, turns: number): Effect.Effect<RunResult> {
    return Effect.suspend(() =>
      fiber.pollUnsafe() !== undefined || turns === 0
        ? Fiber.join(fiber)
        : Effect.andThen(this.advance(50), this.join(fiber, turns - 1)),
    )
  }

  /** Starts a batch, and lets everything happen that takes no time. */
  start(batch: BatchOptions): Effect.Effect<Fiber.Fiber<RunResult>> {
    const starting = Effect.forkChild(this.runBatch(batch), { startImmediately: true })
    return Effect.andThen(starting, (fiber) => Effect.as(idle, fiber))
  }

  private runBatch(given: BatchOptions): Effect.Effect<RunResult> {
    const { operations, key, strategy = partial, runMany, tenant = "t" } = given
    const { endpoint = "things", ...options } = given.options ?? {}
    const settings: BatchSettings = {
      ...resolveOptions({ onUnexpected: () => {} }),
      ...options,
      idempotency: {
        store: this.store,
        ttlMs: 86_400_000,
        leaseMs: 15_000,
        required: false,
        onStoreError: "refuse",
        maxResultBytes: 65_536,
        onAmbiguous: () => "retry",
        sameTransaction: undefined,
        includeQuery: false,
        codec: undefined,
        scope: "tenant",
        ...this.settings,
        ...given.settings,
      },
    }
    const dispatcher: Dispatcher<unknown> = {
      coalesces: () => runMany !== undefined,
      run: given.run ?? (() => OperationResult.success("done")),
      ...(runMany !== undefined && { runMany }),
      ...(given.prepare !== undefined && { prepare: given.prepare }),
    }
    const request = {
      endpoint,
      batch: { operations, strategy },
      limits: Limits.make(given.limits),
      dispatcher,
      tenant: given.anonymous === true ? undefined : tenant,
      idempotencyKey: key,
      signal: given.signal,
      stop: given.stop,
    }
    const running = Effect.gen(function* () {
      const { run } = yield* BatchEngine
      const { recorded, ...ran } = yield* run(request)
      return { ...ran, unrecorded: !(yield* recorded), operations, refusal: undefined }
    })
    return Effect.scoped(running).pipe(
      Effect.catch((refusal) => Effect.succeed<RunResult>({ operations, refusal })),
      Effect.provide(EndpointServices.fromSettings(settings), { local: true }),
      // Synchronous: the clock of the test does not know of time that another thread takes.
      Effect.provideService(CurrentDigest, (text) => hash("sha256", text, "base64url")),
    )
  }
}

/** Makes operations, each with an idempotency key, or none where it is undefined. The input is the key, or else the index. */
export const keyed = (
  ...keys: ReadonlyArray<string | undefined | (Partial<Operation<unknown>> & { readonly key?: string })>
): ReadonlyArray<Operation<unknown>> =>
  keys.map((given, index) => {
    const { key, ...members } = typeof given === "object" ? given : { key: given }
    return operation<unknown>({
      index,
      id: undefined,
      input: key ?? index,
      ...(key !== undefined && { idempotencyKey: key }),
      ...members,
    })
  })

/** The outcome of each operation: its value or the code of its failure, with "replayed " before it if it was replayed. */
export const outcomes = ({ operations }: Pick<RunResult, "operations">): ReadonlyArray<string> =>
  operations.map(({ result }) => {
    if (result === undefined) return "no result"
    const { failure: why, value, replayed } = result
    return `${replayed ? "replayed " : ""}${why === undefined ? String(value) : why.code}`
  })

/** The code with which a batch was refused. */
export const refusalCode = ({ refusal }: RunResult): string | undefined => refusal?.reason.code

/**
 * A handler that counts its runs by the input of the operation. Default answer: the input and the count, so that "a2" is the
 * second run of an operation with the input "a".
 */
export const countingHandler = (
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

/** A final answer of a handler. */
export const notFound = failure("NOT_FOUND", "There is none")

/** The result of a handler that threw. */
export const crashed = OperationResult.error(internalFailure())
