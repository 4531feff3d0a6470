import { AsyncLocalStorage } from "node:async_hooks"
import type { Transaction, TransactionOutcome, UnitOfWork } from "../../src/execution/UnitOfWork.ts"

/** The `tx` of handlers. */
export interface Handle {
  /** Adds a key; rejects if it exists. */
  readonly add: (key: string) => Promise<void>
}

/** How a commit ends; an error is what the database rejects it with. */
export type CommitEnd = Extract<TransactionOutcome, "committed" | "unknown"> | "transient" | Error

/** A transient error, such as a deadlock. */
export class Transient extends Error {}

/** A set of keys with transactions, which run one at a time and whose commits end as the test configures. */
export class FakeDatabase implements UnitOfWork {
  keys: ReadonlyArray<string> = []
  /** How many transactions have begun. */
  begun = 0
  savepoints = 0
  /** How the next commits end; later ones succeed. */
  commits: Array<CommitEnd> = []
  /** Awaited before a transaction begins. */
  beforeBegin = async (): Promise<void> => undefined
  /** Awaited after a commit was sent, before it takes effect. */
  beforeCommitted = async (): Promise<void> => undefined
  readonly handle: Handle = { add: async (key) => void (this.keys = plus(this.keys, key)) }
  readonly #current = new AsyncLocalStorage<Handle>()
  #last: Promise<unknown> = Promise.resolve()

  /** Adds a key in the transaction of the asynchronous context, or outside of one. */
  readonly addHere = (key: string): Promise<void> => (this.#current.getStore() ?? this.handle).add(key)

  readonly isTransient = (error: unknown): boolean => error instanceof Transient

  readonly run: UnitOfWork["run"] = (work) => {
    const running = this.#last.then(() => this.#attempts(work))
    this.#last = running.catch(() => undefined)
    return running
  }

  async #attempts(work: Parameters<UnitOfWork["run"]>[0]): Promise<TransactionOutcome> {
    for (let attempt = 1; attempt <= 4; attempt++) {
      const outcome = await this.#attempt(work)
      if (outcome !== "transient") return outcome
    }
    return "conflict"
  }

  async #attempt(work: Parameters<UnitOfWork["run"]>[0]): Promise<TransactionOutcome | "transient"> {
    await this.beforeBegin()
    this.begun++
    let keys = this.keys
    let ended = false
    const open = () => {
      if (ended) throw new Error("The transaction has ended")
    }
    const handle: Handle = {
      add: async (key) => {
        open()
        keys = plus(keys, key)
      },
    }
    const transaction: Transaction = {
      handle,
      enter: (run) => this.#current.run(handle, run),
      savepoint: async (inside) => {
        open()
        this.savepoints++
        const before = keys
        try {
          if ((await inside()) === "undo") keys = before
        } catch (error) {
          keys = before
          throw error
        }
        open()
      },
    }
    try {
      if ((await work(transaction)) === "rollback") return "rolled-back"
      ended = true
      await this.beforeCommitted()
      const end = this.commits.shift() ?? "committed"
      if (end instanceof Error) throw end
      if (end === "committed") this.keys = keys
      return end
    } catch (error) {
      if (error instanceof Transient) return "transient"
      throw error
    } finally {
      ended = true
    }
  }
}

const plus = (keys: ReadonlyArray<string>, key: string): ReadonlyArray<string> => {
  if (keys.includes(key)) throw new Error(`The key ${key} exists already`)
  return [...keys, key]
}
