/** Executes plans: one suspended fiber per batch around a pool, under one deadline. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type { Plan } from "../domain/Plan.ts"
import { AsyncContext } from "../ports/AsyncContext.ts"
import type { Answer, CallContext, Dispatcher, OnDefect } from "../ports/Dispatcher.ts"
import * as Coalescer from "./Coalescer.ts"
import { Pool } from "./Pool.ts"
import * as Telemetry from "./Telemetry.ts"

/** @category models @since 0.1.0 */
export interface ExecuteOptions {
  /** Milliseconds that the whole may take. */
  readonly deadlineMs: number
  /** Milliseconds that one call may take; undefined for no limit of its own. */
  readonly operationTimeoutMs: number | undefined
  /** Fires when the client has gone away. */
  readonly gone: AbortSignal | undefined
  /** What an operation that died is answered with. */
  readonly onDefect: OnDefect
}

/**
 * Gives every operation of a plan its result.
 *
 * **Details** Never fails. A defect stays with the operation it happened in. When the deadline is over, running calls
 * are told by their signal and not waited for. Interrupting the effect does the same.
 *
 * @category services
 * @since 0.1.0
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
      const { timer } = surroundings(fiber)
      const pool = makePool(plan, dispatcher, options, fiber, () => {
        stopWaiting()
        options.gone?.removeEventListener("abort", onGone)
        resume(Effect.void)
      })
      const onGone = () => pool.cancel()
      const stopWaiting = timer(options.deadlineMs, () => pool.deadline())
      options.gone?.addEventListener("abort", onGone)
      if (options.gone?.aborted === true) pool.cancel()
      else pool.pull()
      return Effect.sync(() => pool.deadline())
    }),
  )

const surroundings = (fiber: Fiber.Fiber<unknown, unknown>) => {
  const fork = Effect.runForkWith(fiber.context)
  const timer = (milliseconds: number, fire: () => void) => {
    const sleeping = fork(Effect.andThen(Effect.sleep(milliseconds), Effect.sync(fire)))
    return () => sleeping.interruptUnsafe()
  }
  return { fork, timer }
}

const makePool = <Input>(
  plan: Plan<Input>,
  dispatcher: Dispatcher<Input>,
  { operationTimeoutMs, onDefect }: ExecuteOptions,
  fiber: Fiber.Fiber<unknown, unknown>,
  done: () => void,
): Pool<Input> => {
  const { fork, timer } = surroundings(fiber)
  const runInContext = Context.get(fiber.context, AsyncContext)()
  const clock = Context.get(fiber.context, Clock.Clock)
  const trace = Telemetry.ofBatch(fiber.context)
  const settle = <A>(ask: () => Answer<A>, call: CallContext, hear: (outcome: Coalescer.Outcome<A>) => void): void => {
    const answered = (value: A) => hear({ _tag: "answer", value })
    const died = (defect: unknown) => hear({ _tag: "defect", defect })
    let answer: Answer<A>
    try {
      answer = runInContext(ask)
    } catch (defect) {
      return died(defect)
    }
    if (isPromiseLike<A>(answer)) return void answer.then(answered, died)
    if (!Effect.isEffect(answer)) return answered(answer as A)
    const running = fork(answer as Effect.Effect<A>)
    call.onAbort(() => running.interruptUnsafe())
    running.addObserver((exit) => (Exit.isSuccess(exit) ? answered(exit.value) : died(Cause.squash(exit.cause))))
  }
  return new Pool<Input>(plan, {
    call: (operations, call, answered) =>
      Coalescer.run(
        operations,
        {
          many: (operations, hear) => settle(() => dispatcher.runMany!(operations, call), call, hear),
          one: (operation, hear) => settle(() => dispatcher.run(operation, call), call, hear),
          isOver: () => call.over,
          onDefect,
        },
        trace === undefined ? answered : trace(operations, answered),
      ),
    now: () => performance.now(),
    soon,
    timeout:
      operationTimeoutMs === undefined
        ? undefined
        : { milliseconds: operationTimeoutMs, timer, now: () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6 },
    done,
  })
}

declare const setImmediate: ((run: () => void) => unknown) | undefined

// Loops that only settle promises starve everything else, so a turn of the event loop is waited for, not a microtask.
const soon: (run: () => void) => void =
  typeof setImmediate === "function" ? (run) => void setImmediate(run) : (run) => void setTimeout(run, 0)

const isPromiseLike = <A>(value: unknown): value is PromiseLike<A> =>
  typeof value === "object" && value !== null && "then" in value && typeof value.then === "function"
