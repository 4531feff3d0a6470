import type { Strategy } from "../../src/batch/Strategy.ts"

/** All operations of a batch, or none. */
export const atomic: Strategy = { _tag: "atomic" }
