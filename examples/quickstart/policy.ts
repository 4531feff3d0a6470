/**
 * A policy: outside of office hours only small batches are admitted, and nobody archives anything.
 */
import { BatchError, type BatchPolicy, failure, PolicyRefusal } from "@multistatus/core"
import { OperationResult } from "@multistatus/core/format"
import * as Effect from "effect/Effect"

export interface OfficeHoursOptions {
  /** Whether somebody is there to help. */
  readonly open: () => boolean
  /** Operations of a batch that comes when nobody is. */
  readonly smallBatch: number
}

export const officeHours = ({ open, smallBatch }: OfficeHoursOptions): BatchPolicy => ({
  name: "office-hours",
  admit: ({ batch }) =>
    Effect.suspend(() => {
      if (open()) return Effect.void
      if (batch.operations.length > smallBatch) {
        const detail = `Outside of office hours a batch may have ${smallBatch} operations`
        const reason = new PolicyRefusal({ code: "OFFICE_CLOSED", status: 403, detail, retryAfter: undefined })
        return Effect.fail(new BatchError({ reason }))
      }
      for (const operation of batch.operations) {
        if (operation.action !== "archive") continue
        operation.result ??= OperationResult.refused(failure("FORBIDDEN", "Archiving waits for office hours"))
      }
      return Effect.void
    }),
})
