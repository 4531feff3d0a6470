/** The job of pg-boss that stands for a ref. */
import { createHash } from "node:crypto"

import type { ChunkRef } from "@multistatus/core/store"

/** What a job carries. */
export interface ChunkJob extends ChunkRef {
  /** How often the ref was rejected before. */
  readonly rejections: number
  /** How often it was given back since, because its worker was busy. */
  readonly returns: number
}

/** Rejections that are followed by another delivery. */
const mostRejections = 3

/** The job of a ref. */
export const make = ({ job, chunk, dispatch }: ChunkRef, { rejections = 0, returns = 0, delayMs = 0 } = {}) => ({
  id: idOf({ job, chunk, dispatch, rejections, returns }),
  data: { job, chunk, dispatch, rejections, returns } satisfies ChunkJob,
  ...(delayMs > 0 && { startAfter: Math.ceil(delayMs / 1000) }),
})

/** The job that comes after one that was rejected; undefined where it was the last. */
export const afterRejection = (rejected: ChunkJob) =>
  rejected.rejections < mostRejections
    ? make(rejected, { rejections: rejected.rejections + 1, delayMs: 1000 * 3 ** rejected.rejections })
    : undefined

/** The job that comes after one that was given back. */
export const givenBack = ({ rejections, returns, ...ref }: ChunkJob) => make(ref, { rejections, returns: returns + 1 })

/** The ids that a job of the ref may have, if it was not given back. */
export const ids = (ref: ChunkRef): ReadonlyArray<string> =>
  Array.from({ length: mostRejections + 1 }, (_, rejections) => idOf({ ...ref, rejections, returns: 0 }))

// pg-boss takes UUIDs alone: one that is the same for the same ref (RFC 9562, version 8).
const idOf = ({ job, chunk, dispatch, rejections, returns }: ChunkJob): string => {
  const hex = createHash("sha256").update(`${job}-${chunk}-${dispatch}-${rejections}-${returns}`).digest("hex")
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
