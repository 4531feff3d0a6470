/** Calls the handlers of one batch in the asynchronous context of its request. Handlers return values, promises or effects. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { Operation } from "../batch/Operation.ts"
import { OperationResult } from "../batch/OperationResult.ts"
import { AsyncContext, type RunInContext } from "../platform/AsyncContext.ts"
import type { Dispatcher, HandlerOutput, OnDefect } from "../batch/Dispatcher.ts"
import { CurrentTransaction, type Transaction } from "./UnitOfWork.ts"
import type { RunningGroup } from "./RunningGroup.ts"
import * as Coalescer from "./Coalescer.ts"
import * as FiberClock from "../platform/FiberClock.ts"
import { yieldToEventLoop } from "../platform/yieldToEventLoop.ts"
import * as OperationSpans from "./OperationSpans.ts"
import type { Timer } from "../platform/FiberClock.ts"
import * as TransactionRunner from "./TransactionRunner.ts"

/** Receives operations right before their handler is called. */
export type OnStart = (operations: ReadonlyArray<Operation>) => void

/** The invoker of one batch. */
export class Invoker<Input> {
  /** Timers by the clock of the batch's fiber. */
  readonly timer: Timer
  /** Milliseconds by that clock. */
  readonly now: () => number
  private readonly dispatcher: Dispatcher<Input>
  private readonly onDefect: OnDefect
  private readonly onStart: OnStart | undefined
  private readonly context: Context.Context<never>
  private readonly runInContext: RunInContext
  private readonly startSpans: OperationSpans.StartSpans | undefined

  constructor(
    dispatcher: Dispatcher<Input>,
    { onDefect, onStart }: { readonly onDefect: OnDefect; readonly onStart?: OnStart | undefined },
    { context }: Fiber.Fiber<unknown, unknown>,
  ) {
    const { now, timer } = FiberClock.make(context)
    this.dispatcher = dispatcher
    this.onDefect = onDefect
    this.onStart = onStart
    this.context = context
    this.runInContext = Context.get(context, AsyncContext)()
    this.startSpans = OperationSpans.ofBatch(context)
    this.now = now
    this.timer = timer
  }

  /** Starts the spans of operations. The returned function ends them and then calls `finished`. */
  withSpans(
    operations: ReadonlyArray<Operation<Input>>,
    running: RunningGroup<Input>,
    finished: () => void,
  ): () => void {
    if (this.startSpans === undefined) return finished
    let endSpans: (() => void) | undefined = this.startSpans(operations)
    const endOnce = () => {
      endSpans?.()
      endSpans = undefined
    }
    running.onAbort(endOnce)
    return () => {
      endOnce()
      finished()
    }
  }

  /** Runs the only call of a group that has no transaction. */
  runCall(running: RunningGroup<Input>, operations: ReadonlyArray<Operation<Input>>, finished: () => void): void {
    const { dispatcher, onDefect } = this
    const [first] = operations
    this.onStart?.(operations)
    if (first !== undefined && operations.length === 1) return this.runSingle(first, running, finished)
    Coalescer.run(
      operations,
      {
        runMany: (operations, resolve, reject) =>
          this.invoke(() => dispatcher.runMany!(operations, running), running, undefined, resolve, reject),
        runOne: (operation, resolve, reject) =>
          this.invoke(() => dispatcher.run(operation, running), running, undefined, resolve, reject),
        settle: (operation, result) => running.settle(operation, result),
        hasEnded: () => running.ended,
        yieldToEventLoop,
        onDefect,
      },
      finished,
    )
  }

  // A fast path for the most frequent case, and the only one of sub-requests.
  private runSingle(operation: Operation<Input>, running: RunningGroup<Input>, finished: () => void): void {
    let output: HandlerOutput<OperationResult>
    const settle = (result: OperationResult) => {
      running.settle(operation, result)
      finished()
    }
    const fail = (defect: unknown) => {
      if (!running.ended) settle(this.onDefect(defect, operation))
    }
    try {
      output = this.runInContext(() => this.dispatcher.run(operation, running))
    } catch (defect) {
      return fail(defect)
    }
    if (output instanceof OperationResult) settle(output)
    else if (isPromiseLike<OperationResult>(output)) output.then(settle, fail)
    else this.runInContext(() => this.fork(output, running, settle, fail))
  }

  /** Runs a group inside a transaction. */
  runTransaction(
    running: RunningGroup<Input>,
    options: Pick<TransactionRunner.TransactionRunOptions<Input>, "unitOfWork" | "remainingMs" | "startTimeout">,
  ): Promise<void> {
    const { dispatcher, onDefect } = this
    const invoke = <A>(call: () => HandlerOutput<A>, transaction: Transaction): Promise<A> =>
      new Promise((resolve, reject) => this.invoke(call, running, transaction, resolve, reject))
    return TransactionRunner.run(running, {
      ...options,
      runOne: (operation, transaction) => {
        this.onStart?.([operation])
        return invoke(() => dispatcher.run(operation, running), transaction)
      },
      runMany: (operations, transaction) => {
        this.onStart?.(operations)
        return invoke(() => dispatcher.runMany!(operations, running), transaction)
      },
      onDefect,
    })
  }

  private invoke<A>(
    call: () => HandlerOutput<A>,
    running: RunningGroup<Input>,
    transaction: Transaction | undefined,
    resolve: (value: A) => void,
    reject: (defect: unknown) => void,
  ): void {
    const enter: RunInContext =
      transaction === undefined ? this.runInContext : (run) => this.runInContext(() => transaction.enter(run))
    let output: HandlerOutput<A>
    try {
      output = enter(call)
    } catch (defect) {
      return reject(defect)
    }
    if (isPromiseLike<A>(output)) output.then(resolve, reject)
    else if (Effect.isEffect(output)) enter(() => this.fork(output as Effect.Effect<A>, running, resolve, reject))
    else resolve(output as A)
  }

  private fork<A>(
    effect: Effect.Effect<A>,
    running: RunningGroup<Input>,
    resolve: (value: A) => void,
    reject: (defect: unknown) => void,
  ): void {
    const context = running.tx === undefined ? this.context : Context.add(this.context, CurrentTransaction, running.tx)
    const fiber = Effect.runForkWith(context)(effect)
    running.onAbort(() => fiber.interruptUnsafe())
    fiber.addObserver((exit) => {
      if (Exit.isSuccess(exit)) resolve(exit.value)
      else reject(Cause.squash(exit.cause))
    })
  }
}

const isPromiseLike = <A>(value: unknown): value is PromiseLike<A> =>
  typeof value === "object" && value !== null && "then" in value && typeof value.then === "function"
