/**
 * Settles operations inside their transaction, right before it commits, so that results and effects commit together. A
 * transaction whose claims were lost does not commit: another execution may be running the same operations.
 *
 * **Details** Where the store cannot settle in transactions, the fence only notes which transactions committed.
 */
import { failure } from "../batch/Failure.ts"
import type { Operation } from "../batch/Operation.ts"
import { OperationResult } from "../batch/OperationResult.ts"
import type { TransactionOutcome, UnitOfWork } from "../execution/UnitOfWork.ts"
import { answerMs, type IdempotencySettings } from "./IdempotencySettings.ts"
import type { IdempotencyTimes } from "./IdempotencyStore.ts"
import { claimLost } from "./OpenClaims.ts"
import { Settlement, type SettlementContext } from "./Settlement.ts"
import type { WriteOrder } from "./WriteOrder.ts"

export interface TransactionFenceOptions {
  readonly context: SettlementContext
  readonly settings: IdempotencySettings
  readonly times: IdempotencyTimes
  readonly order: WriteOrder
}

/** A settlement in a transaction that is still open. */
interface OpenSettlement {
  /** Takes the settlement back, because the transaction was rolled back. */
  readonly undo: () => void
  /** Keeps the settlement, because the transaction was committed. */
  readonly keep: () => void
  /** Makes the result of operations whose transaction must not commit; undefined where it may. */
  readonly refusal: (() => OperationResult) | undefined
}

export class TransactionFence {
  private readonly options: TransactionFenceOptions

  constructor(options: TransactionFenceOptions) {
    this.options = options
  }

  /** Runs the work in a transaction that also settles these operations. */
  async run(
    unitOfWork: UnitOfWork,
    operations: ReadonlyArray<Operation>,
    ...[work, options]: Parameters<UnitOfWork["run"]>
  ): Promise<TransactionOutcome> {
    const release = this.settles ? await this.options.order.beginTransaction() : () => {}
    const { ledger } = this.options.context
    const current: { settlement: OpenSettlement | undefined } = { settlement: undefined }
    try {
      const outcome = await unitOfWork.run(async (transaction) => {
        // The transaction is retried: its earlier attempt was rolled back.
        current.settlement?.undo()
        current.settlement = undefined
        if ((await work(transaction)) === "rollback") return "rollback"
        if (!this.settles) return "commit"
        current.settlement = await this.settle(transaction.handle, operations)
        return current.settlement.refusal === undefined ? "commit" : "rollback"
      }, options)
      if (outcome === "committed") {
        ledger.commit(operations)
        current.settlement?.keep()
        current.settlement = undefined
      }
      const refusal = current.settlement?.refusal
      // Overwrites the results of handlers, whose effects were rolled back.
      if (refusal !== undefined) for (const operation of operations) operation.result = refusal()
      return outcome
    } finally {
      current.settlement?.undo()
      release()
    }
  }

  private get settles(): boolean {
    return this.options.settings.store.settleIn !== undefined
  }

  private async settle(transaction: unknown, operations: ReadonlyArray<Operation>): Promise<OpenSettlement> {
    const { context, settings, times, order } = this.options
    const { journal, ledger, open } = context
    const release = journal === undefined ? () => {} : await order.takeTurn(answerMs(settings))
    if (release === undefined) return { undo: () => {}, keep: () => {}, refusal: blocked }
    const committing = new Set(operations)
    const isOver = ledger.isOverAfter(committing)
    const settlement = new Settlement(context, operations, { isOver, committing })
    const undo = () => {
      settlement.undo()
      release()
    }
    try {
      let items = await settlement.prepare()
      while (items.length > 0) items = settlement.confirm(await settings.store.settleIn!(transaction, items, times))
    } catch (error) {
      undo()
      throw error
    }
    if (open.isLost) {
      undo()
      return { undo: () => {}, keep: () => {}, refusal: claimLost }
    }
    const keep = () => {
      ledger.end(operations)
      open.close(operations)
      release()
    }
    return { undo, keep, refusal: undefined }
  }
}

const blocked = (): OperationResult =>
  OperationResult.refused(
    failure("CONFLICT", "Timed out while other transactions of the batch were open: retry this operation", {
      retryable: true,
    }),
  )
