/**
 * Removes expired rows of a store while the store is used.
 */
import { emitWarning } from "node:process"
import { setTimeout as delay } from "node:timers/promises"

import { ambientTransaction } from "../transactions/AmbientTransaction.ts"
import { isTransient } from "../transactions/transientErrors.ts"

/** Number of rows that one statement removes and so locks. @internal */
export const purgeStep = 500

/** Number of new rows after which expired ones are removed. */
const rowsBetweenRuns = 1000

/** Milliseconds after which expired rows are removed although few rows are new. */
const runInterval = 60_000

/** Milliseconds between the call that starts a run and the run, so that a batch does not wait for it. */
const startDelay = 1000

/** Removes the expired rows of one store. @internal */
export class AutoPurge {
  readonly #purge: (limit: number) => Promise<number>
  #newRows = 0
  #lastRunAt = performance.now()
  #isRunning = false
  #hasWarned = false

  /** `purge` removes at most so many expired rows and returns their number. */
  constructor(purge: (limit: number) => Promise<number>) {
    this.#purge = purge
  }

  /** Notes that the store may have so many new rows. A run starts if it is due. */
  note(rows: number): void {
    this.#newRows += rows
    const isDue = this.#newRows >= rowsBetweenRuns || performance.now() - this.#lastRunAt >= runInterval
    if (!isDue || this.#isRunning) return
    this.#isRunning = true
    this.#newRows = 0
    // The run is no part of the transaction whose code may have made the call.
    ambientTransaction.exit(() => setTimeout(() => void this.#run(), startDelay).unref())
  }

  // As long as there is a backlog, half of the time is left to other statements.
  async #run(): Promise<void> {
    try {
      while (true) {
        const startedAt = performance.now()
        if ((await this.#purge(purgeStep)) < purgeStep) return
        await delay(performance.now() - startedAt, undefined, { ref: false })
      }
    } catch (error) {
      this.#warn(error)
    } finally {
      this.#lastRunAt = performance.now()
      this.#isRunning = false
    }
  }

  #warn(error: unknown): void {
    // The next run removes the rows if the database was unreachable. After it was closed there is no next run.
    const isClosed = error instanceof Error && /destroyed|after calling end|is closed|not open/.test(error.message)
    if (this.#hasWarned || isClosed || isTransient(error)) return
    this.#hasWarned = true
    emitWarning(`Expired rows cannot be removed, so the table grows: ${String(error)}`, "MultistatusWarning")
  }
}
