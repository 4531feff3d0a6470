/**
 * A policy: outside office hours, batches must be small and must not archive anything.
 */
import { BatchError, type BatchPolicy, failure, PolicyRefusal } from "@multistatus/core"
import { OperationResult } from "@multistatus/core/format"
import * as Effect from "effect/Effect"

export interface OfficeHoursOptions {
  /** Returns whether it is office hours. */
  readonly open: () => boolean
  /** Maximum number of operations of a batch outside office hours. */
  readonly smallBatch: number
}

export const officeHours = ({ open, smallBatch }: OfficeHoursOptions): BatchPolicy => ({
  name: "office-hours",
  admit: ({ batch }) =>
    Effect.suspend(() => {
      if (open()) return Effect.void
      if (batch.operations.length > smallBatch) {
        const detail = `Outside office hours a batch has at most ${smallBatch} operations`
        const reason = new PolicyRefusal({ code: "OFFICE_CLOSED", status: 403, detail, retryAfter: undefined })
        return Effect.fail(new BatchError({ reason }))
      }
      for (const operation of batch.operations) {
        if (operation.action !== "archive") continue
        operation.result ??= OperationResult.refused(
          failure("FORBIDDEN", "Archiving is only possible during office hours"),
        )
      }
      return Effect.void
    }),
})
