/** Executes plans: one suspended fiber per batch around a pool, under one deadline. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Plan } from "../planning/Plan.ts"
import type { Operation } from "../batch/Operation.ts"
import type { Dispatcher, OnDefect } from "../batch/Dispatcher.ts"
import type { UnitOfWork } from "./UnitOfWork.ts"
import type { RunningGroup } from "./RunningGroup.ts"
import type { ExecutionHooks } from "./ExecutionHooks.ts"
import { type Began, Invoker } from "./Invoker.ts"
import { GroupScheduler } from "./GroupScheduler.ts"
import { yieldToEventLoop } from "../platform/yieldToEventLoop.ts"

/** Limits, signals and hooks of one execution. */
export interface ExecuteOptions {
  /** Milliseconds that the whole may take. */
  readonly deadlineMs: number
  /** Milliseconds that one call may take; undefined for no limit of its own. */
  readonly operationTimeoutMs: number | undefined
  /** Fires when the client has gone away. */
  readonly signal: AbortSignal | undefined
  /** Fires when the batch is to stop at once; its reason says why, in a sentence. */
  readonly stop?: AbortSignal | undefined
  /** What an operation that died is answered with. */
  readonly onDefect: OnDefect
  /** What runs groups that have a transaction. */
  readonly unitOfWork: UnitOfWork | undefined
  /** Hooks around commit groups; undefined for none. */
  readonly hooks: ExecutionHooks | undefined
  readonly began?: Began | undefined
}

/**
 * Gives every operation of a plan its result.
 *
 * **Details** Never fails. A defect stays with the operation it happened in. When the deadline is over, running calls
 * are told by their signal and not waited for. Interrupting the effect does the same.
 */
export class Executor extends Context.Service<
  Executor,
  {
    readonly execute: <Input>(
      plan: Plan<Input>,
      dispatcher: Dispatcher<Input>,
      options: ExecuteOptions,
    ) => Effect.Effect<void>
  }
>()("@multistatus/core/Executor") {
  static readonly layer: Layer.Layer<Executor> = Layer.sync(Executor, () => Executor.of({ execute }))
}

const execute: Executor["Service"]["execute"] = (plan, dispatcher, options) =>
  Effect.withFiber((fiber) =>
    Effect.callback<void>((resume) => {
      const handlers = new Invoker(dispatcher, options, fiber)
      // A clock may find that no time at all is over before it has answered how to stop waiting.
      let stopWaiting = () => {}
      const pool = makePool(plan, handlers, options, () => {
        stopWaiting()
        options.signal?.removeEventListener("abort", onGone)
        options.stop?.removeEventListener("abort", onStop)
        resume(Effect.void)
      })
      const onGone = () => pool.cancel()
      const onStop = () => pool.stop(String(options.stop?.reason))
      stopWaiting = handlers.timer(options.deadlineMs, () => pool.deadline())
      options.signal?.addEventListener("abort", onGone)
      options.stop?.addEventListener("abort", onStop)
      if (options.stop?.aborted === true) onStop()
      else if (options.signal?.aborted === true) pool.cancel()
      else if (options.deadlineMs <= 0) pool.deadline()
      else pool.pull()
      return Effect.sync(() => pool.deadline())
    }),
  )

const makePool = <Input>(
  plan: Plan<Input>,
  handlers: Invoker<Input>,
  { deadlineMs, operationTimeoutMs, unitOfWork, hooks }: ExecuteOptions,
  done: () => void,
): GroupScheduler<Input> => {
  const endsAt = performance.now() + deadlineMs
  return new GroupScheduler<Input>(plan, {
    call: (call, due, finished) => {
      const end = handlers.traced(due, call, () => {
        hooks?.ended(due)
        finished()
      })
      const refusal = hooks?.refuse(due)
      if (refusal !== undefined) {
        for (const operation of due) call.settle(operation, refusal)
        end()
      } else if (call.group.transaction === "none") handlers.run(call, due, end)
      else if (unitOfWork !== undefined) {
        const remainingMs = Math.max(1, Math.ceil(endsAt - performance.now()))
        const watch =
          operationTimeoutMs === undefined ? notAtAll : (fire: () => void) => handlers.timer(operationTimeoutMs, fire)
        void handlers
          .transact(call, {
            unitOfWork: hooks?.fence(unitOfWork, due, membersOf(call, due)) ?? unitOfWork,
            remainingMs,
            watch,
          })
          .then(end)
      } else throw new TypeError("The plan has transactions, but there is no unit of work to run them in")
    },
    handle: unitOfWork?.handle,
    now: () => performance.now(),
    soon: yieldToEventLoop,
    timeout:
      operationTimeoutMs === undefined
        ? undefined
        : { milliseconds: operationTimeoutMs, timer: handlers.timer, now: handlers.now },
    done,
  })
}

const notAtAll = () => () => {}

// All of a group that happens as a whole, also those that ended before it began.
const membersOf = <Input>({ atomic, group }: RunningGroup<Input>, due: ReadonlyArray<Operation<Input>>) =>
  atomic ? group.operations : due
