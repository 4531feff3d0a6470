/** The jobs of pg-boss that carry refs. */
import { createHash } from "node:crypto"

import type { ChunkRef } from "@multistatus/core/store"

/** The data of a job. */
export interface ChunkJob extends ChunkRef {
  /** How often the ref was rejected. */
  readonly rejections: number
  /** How often a busy worker has returned it since. */
  readonly returns: number
}

/** Maximum number of rejections that are followed by a redelivery. */
const maxRejections = 3

/** Makes the job of a ref. */
export const make = ({ job, chunk, dispatch }: ChunkRef, { rejections = 0, returns = 0, delayMs = 0 } = {}) => ({
  id: idOf({ job, chunk, dispatch, rejections, returns }),
  data: { job, chunk, dispatch, rejections, returns } satisfies ChunkJob,
  ...(delayMs > 0 && { startAfter: Math.ceil(delayMs / 1000) }),
})

/** Makes the next job of a ref that was rejected; undefined if the ref is given up. */
export const afterRejection = (rejected: ChunkJob) =>
  rejected.rejections < maxRejections
    ? make(rejected, { rejections: rejected.rejections + 1, delayMs: 1000 * 3 ** rejected.rejections })
    : undefined

/** Makes the next job of a ref that was returned. */
export const afterReturn = ({ rejections, returns, ...ref }: ChunkJob) =>
  make(ref, { rejections, returns: returns + 1 })

/** The ids of the jobs of a ref, except of those that were returned. */
export const ids = (ref: ChunkRef): ReadonlyArray<string> =>
  Array.from({ length: maxRejections + 1 }, (_, rejections) => idOf({ ...ref, rejections, returns: 0 }))

// pg-boss requires UUIDs. These are the same for the same ref (RFC 9562, version 8).
const idOf = ({ job, chunk, dispatch, rejections, returns }: ChunkJob): string => {
  const hex = createHash("sha256").update(`${job}-${chunk}-${dispatch}-${rejections}-${returns}`).digest("hex")
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
