/** Transactions on nothing but lists, which end as a test wants, and hold a connection while they are open. */
import type { TransactionOutcome, UnitOfWork } from "../../src/execution/UnitOfWork.ts"
import type { IdempotencyStore, IdempotencyTimes, SettleItem } from "../../src/idempotency/IdempotencyStore.ts"

/**
 * How one attempt at a transaction ends that wants to commit. `transient` is tried again. The two that are unknown
 * committed, and did not.
 */
export type CommitManner = "good" | "transient" | "reject" | "unknown, done" | "unknown, undone"

/** What handlers and the store are given. */
export interface ScriptedTransaction {
  readonly rows: Array<unknown>
  readonly settled: Array<{ readonly items: ReadonlyArray<SettleItem>; readonly times: IdempotencyTimes }>
}

export class ScriptedDatabase {
  /** How the next attempts end; beyond, they end well. */
  readonly manners: Array<CommitManner> = []
  /** What was committed. */
  readonly rows: Array<unknown> = []
  /** How many attempts there were. */
  attempts = 0
  /** Awaited before a transaction is rolled back. */
  beforeUndone = async (): Promise<void> => undefined
  /** Awaited when a commit is on its way. */
  beforeCommitted = async (): Promise<void> => undefined
  /** Where results of transactions are stored when they commit. */
  store: Pick<IdempotencyStore, "settle"> | undefined = undefined
  private free: number
  private readonly queue: Array<() => void> = []

  constructor(connections = Number.POSITIVE_INFINITY) {
    this.free = connections
  }

  /** Runs something that needs a connection. */
  async connected<A>(run: () => Promise<A>): Promise<A> {
    if (this.free === 0) await new Promise<void>((resolve) => this.queue.push(resolve))
    else this.free--
    try {
      return await run()
    } finally {
      const next = this.queue.shift()
      if (next === undefined) this.free++
      else next()
    }
  }

  readonly unitOfWork: UnitOfWork = {
    handle: undefined,
    isTransient: (error) => error === transient,
    run: async (work) => {
      for (let attempt = 1; attempt <= 5; attempt++) {
        const outcome = await this.connected(() => this.tryOnce(work))
        if (outcome !== "transient") return outcome
        await new Promise((resolve) => setImmediate(resolve))
      }
      return "conflict"
    },
  }

  private async tryOnce(work: Parameters<UnitOfWork["run"]>[0]): Promise<TransactionOutcome | "transient"> {
    this.attempts++
    const handle: ScriptedTransaction = { rows: [], settled: [] }
    const savepoint = async (inner: () => PromiseLike<"keep" | "undo">) => {
      const before = handle.rows.length
      let verdict: "keep" | "undo" = "undo"
      try {
        verdict = await inner()
      } finally {
        if (verdict === "undo") handle.rows.length = before
      }
    }
    try {
      const ending = await work({ handle, enter: (run) => run(), savepoint })
      if (ending === "rollback") {
        await this.beforeUndone()
        return "rolled-back"
      }
    } catch (error) {
      if (error === transient) return "transient"
      throw error
    }
    const manner = this.manners.shift() ?? "good"
    await this.beforeCommitted()
    if (manner === "transient") return "transient"
    if (manner === "reject") throw new Error("The commit failed")
    if (manner === "unknown, undone") return "unknown"
    this.rows.push(...handle.rows)
    for (const { items, times } of handle.settled) await this.store?.settle(items, times)
    return manner === "good" ? "committed" : "unknown"
  }
}

/** What handlers and stores throw that makes the transaction be tried again. */
export const transient = new Error("deadlock detected")
