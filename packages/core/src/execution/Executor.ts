/** Executes plans: one suspended fiber per batch, a scheduler inside of it, and one deadline. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Plan } from "../planning/Plan.ts"
import type { Operation } from "../batch/Operation.ts"
import type { Dispatcher, OnDefect } from "../batch/Dispatcher.ts"
import type { UnitOfWork } from "./UnitOfWork.ts"
import type { RunningGroup } from "./RunningGroup.ts"
import type { ExecutionHooks } from "./ExecutionHooks.ts"
import { Invoker, type OnStart } from "./Invoker.ts"
import { GroupScheduler } from "./GroupScheduler.ts"
import { yieldToEventLoop } from "../platform/yieldToEventLoop.ts"

/** Limits, signals and hooks of one execution. */
export interface ExecuteOptions {
  /** Milliseconds that the whole batch may take. */
  readonly deadlineMs: number
  /** Milliseconds that one handler call may take; undefined for no timeout. */
  readonly operationTimeoutMs: number | undefined
  /** Aborts when the client disconnects. */
  readonly signal: AbortSignal | undefined
  /** Aborts when the batch must stop at once; its reason is a message for the client. */
  readonly stop?: AbortSignal | undefined
  /** Returns the result of an operation whose handler has thrown a defect. */
  readonly onDefect: OnDefect
  /** Runs the transactions of the plan; undefined if there are none. */
  readonly unitOfWork: UnitOfWork | undefined
  /** Hooks around commit groups; undefined for none. */
  readonly hooks: ExecutionHooks | undefined
  /** Called with operations right before their handler is called. */
  readonly onStart?: OnStart | undefined
}

/**
 * Gives every operation of a plan its result.
 *
 * **Details** Never fails. A defect fails only the operation that it happened in. When the deadline passes, running
 * handlers are aborted through their signals and not awaited. Interrupting the effect has the same result.
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
      const invoker = new Invoker(dispatcher, options, fiber)
      // A clock may fire a timer before it has returned the function that cancels it.
      let cancelDeadline = () => {}
      const scheduler = makeScheduler(plan, invoker, options, () => {
        cancelDeadline()
        options.signal?.removeEventListener("abort", onDisconnect)
        options.stop?.removeEventListener("abort", onStop)
        resume(Effect.void)
      })
      const onDisconnect = () => scheduler.onDisconnect()
      const onStop = () => scheduler.stop(String(options.stop?.reason))
      cancelDeadline = invoker.timer(options.deadlineMs, () => scheduler.onDeadline())
      options.signal?.addEventListener("abort", onDisconnect)
      options.stop?.addEventListener("abort", onStop)
      if (options.stop?.aborted === true) onStop()
      else if (options.signal?.aborted === true) onDisconnect()
      else if (options.deadlineMs <= 0) scheduler.onDeadline()
      else scheduler.startGroups()
      return Effect.sync(() => scheduler.onDeadline())
    }),
  )

const makeScheduler = <Input>(
  plan: Plan<Input>,
  invoker: Invoker<Input>,
  { deadlineMs, operationTimeoutMs, unitOfWork, hooks }: ExecuteOptions,
  onDone: () => void,
): GroupScheduler<Input> => {
  const endsAt = performance.now() + deadlineMs
  return new GroupScheduler<Input>(plan, {
    run: (running, ready, finished) => {
      const end = invoker.withSpans(ready, running, () => {
        hooks?.ended(ready)
        finished()
      })
      const refusal = hooks?.refuse(ready)
      if (refusal !== undefined) {
        for (const operation of ready) running.settle(operation, refusal)
        end()
      } else if (running.group.transaction === "none") invoker.runCall(running, ready, end)
      else if (unitOfWork !== undefined) {
        const startTimeout =
          operationTimeoutMs === undefined ? noTimeout : (fire: () => void) => invoker.timer(operationTimeoutMs, fire)
        void invoker
          .runTransaction(running, {
            unitOfWork: hooks?.fence(unitOfWork, ready, membersOf(running, ready)) ?? unitOfWork,
            remainingMs: Math.max(1, Math.ceil(endsAt - performance.now())),
            startTimeout,
          })
          .then(end)
      } else throw new TypeError("The plan contains transactions: configure a unit of work to run them")
    },
    handle: unitOfWork?.handle,
    now: () => performance.now(),
    yieldToEventLoop,
    timeout:
      operationTimeoutMs === undefined
        ? undefined
        : { milliseconds: operationTimeoutMs, timer: invoker.timer, now: invoker.now },
    onDone,
  })
}

const noTimeout = () => () => {}

// Members of an atomic group are also the operations that had their results before it started.
const membersOf = <Input>({ atomic, group }: RunningGroup<Input>, ready: ReadonlyArray<Operation<Input>>) =>
  atomic ? group.operations : ready
