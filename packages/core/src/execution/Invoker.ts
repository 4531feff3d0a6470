/** Calls the handlers of one batch: values, promises and effects alike, in the context that the batch came in. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { Operation } from "../batch/Operation.ts"
import { OperationResult } from "../batch/OperationResult.ts"
import { AsyncContext, type RunInContext } from "../platform/AsyncContext.ts"
import type { HandlerOutput, Dispatcher, OnDefect } from "../batch/Dispatcher.ts"
import { CurrentTransaction, type Transaction } from "./UnitOfWork.ts"
import type { RunningGroup } from "./RunningGroup.ts"
import * as Coalescer from "./Coalescer.ts"
import * as FiberClock from "../platform/FiberClock.ts"
import { yieldToEventLoop } from "../platform/yieldToEventLoop.ts"
import * as OperationSpans from "./OperationSpans.ts"
import type { Timer } from "../platform/FiberClock.ts"
import * as TransactionRunner from "./TransactionRunner.ts"

/** Told of operations whose handler is about to be called. */
export type Began = (operations: ReadonlyArray<Operation>) => void

type Hear<A> = (outcome: Coalescer.CallOutcome<A>) => void

export class Invoker<Input> {
  /** Waits by the clock of the batch's fiber. */
  readonly timer: Timer
  /** Milliseconds by that clock. */
  readonly now: () => number
  private readonly dispatcher: Dispatcher<Input>
  private readonly onDefect: OnDefect
  private readonly context: Context.Context<never>
  private readonly runInContext: RunInContext
  private readonly trace: OperationSpans.Trace | undefined
  private readonly began: Began | undefined

  constructor(
    dispatcher: Dispatcher<Input>,
    { onDefect, began }: { readonly onDefect: OnDefect; readonly began?: Began | undefined },
    { context }: Fiber.Fiber<unknown, unknown>,
  ) {
    const { now, timer } = FiberClock.make(context)
    this.dispatcher = dispatcher
    this.onDefect = onDefect
    this.began = began
    this.context = context
    this.runInContext = Context.get(context, AsyncContext)()
    this.trace = OperationSpans.ofBatch(context)
    this.now = now
    this.timer = timer
  }

  /** Opens the spans of operations; what it returns ends them and goes on with `finished`. */
  traced(operations: ReadonlyArray<Operation<Input>>, call: RunningGroup<Input>, finished: () => void): () => void {
    if (this.trace === undefined) return finished
    let end: (() => void) | undefined = this.trace(operations)
    const endOnce = () => {
      end?.()
      end = undefined
    }
    call.onAbort(endOnce)
    return () => {
      endOnce()
      finished()
    }
  }

  /** Runs the one call of a group that has no transaction. */
  run(call: RunningGroup<Input>, operations: ReadonlyArray<Operation<Input>>, finished: () => void): void {
    const { dispatcher, onDefect } = this
    const [first] = operations
    this.began?.(operations)
    if (first !== undefined && operations.length === 1) return this.runOne(first, call, finished)
    Coalescer.run(
      operations,
      {
        many: (operations, hear) => this.ask(() => dispatcher.runMany!(operations, call), call, undefined, hear),
        one: (operation, hear) => this.ask(() => dispatcher.run(operation, call), call, undefined, hear),
        settle: (operation, result) => call.settle(operation, result),
        isOver: () => call.over,
        breathe: yieldToEventLoop,
        onDefect,
      },
      finished,
    )
  }

  // What most operations are, and all sub-requests: worth its own few lines.
  private runOne(operation: Operation<Input>, call: RunningGroup<Input>, finished: () => void): void {
    let answer: HandlerOutput<OperationResult>
    const settled = (result: OperationResult) => {
      call.settle(operation, result)
      finished()
    }
    const died = (defect: unknown) => {
      if (!call.over) settled(this.onDefect(defect, operation))
    }
    try {
      answer = this.runInContext(() => this.dispatcher.run(operation, call))
    } catch (defect) {
      return died(defect)
    }
    if (answer instanceof OperationResult) settled(answer)
    else if (isPromiseLike<OperationResult>(answer)) answer.then(settled, died)
    else {
      this.runInContext(() =>
        this.fork(answer, call, (outcome) =>
          outcome._tag === "answer" ? settled(outcome.value) : died(outcome.defect),
        ),
      )
    }
  }

  /** Runs a group inside a transaction. */
  transact(
    call: RunningGroup<Input>,
    options: Pick<TransactionRunner.TransactionRunOptions<Input>, "unitOfWork" | "remainingMs" | "watch">,
  ): Promise<void> {
    const { dispatcher, onDefect } = this
    const promise = <A>(run: () => HandlerOutput<A>, transaction: Transaction): Promise<A> =>
      new Promise((resolve, reject) =>
        this.ask(run, call, transaction, (outcome) =>
          outcome._tag === "answer" ? resolve(outcome.value) : reject(outcome.defect),
        ),
      )
    return TransactionRunner.run(call, {
      ...options,
      one: (operation, transaction) => {
        this.began?.([operation])
        return promise(() => dispatcher.run(operation, call), transaction)
      },
      many: (operations, transaction) => {
        this.began?.(operations)
        return promise(() => dispatcher.runMany!(operations, call), transaction)
      },
      onDefect,
    })
  }

  private ask<A>(
    run: () => HandlerOutput<A>,
    call: RunningGroup<Input>,
    transaction: Transaction | undefined,
    hear: Hear<A>,
  ): void {
    const enter: RunInContext =
      transaction === undefined ? this.runInContext : (inside) => this.runInContext(() => transaction.enter(inside))
    let answer: HandlerOutput<A>
    try {
      answer = enter(run)
    } catch (defect) {
      return hear({ _tag: "defect", defect })
    }
    if (isPromiseLike<A>(answer)) {
      answer.then(
        (value) => hear({ _tag: "answer", value }),
        (defect: unknown) => hear({ _tag: "defect", defect }),
      )
    } else if (Effect.isEffect(answer)) {
      enter(() => this.fork(answer as Effect.Effect<A>, call, hear))
    } else hear({ _tag: "answer", value: answer as A })
  }

  private fork<A>(effect: Effect.Effect<A>, call: RunningGroup<Input>, hear: Hear<A>): void {
    const context = call.tx === undefined ? this.context : Context.add(this.context, CurrentTransaction, call.tx)
    const running = Effect.runForkWith(context)(effect)
    call.onAbort(() => running.interruptUnsafe())
    running.addObserver((exit) => {
      if (Exit.isSuccess(exit)) hear({ _tag: "answer", value: exit.value })
      else hear({ _tag: "defect", defect: Cause.squash(exit.cause) })
    })
  }
}

const isPromiseLike = <A>(value: unknown): value is PromiseLike<A> =>
  typeof value === "object" && value !== null && "then" in value && typeof value.then === "function"
