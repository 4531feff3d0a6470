/** What a job's record says of how it is run, as JSON. */
import type { Strategy } from "../batch/Strategy.ts"

export interface JobSpec {
  readonly strategy: Strategy
  /** Whether the results of successes carry what the action returned; undefined: as the endpoint is configured. */
  readonly data: boolean | undefined
  /** What keeps idempotency keys of this endpoint apart from those of others. */
  readonly keyScope: string
}

export const write = (settings: JobSpec): string => JSON.stringify(settings)

/** Reads what `write` wrote, here or on another server. */
export const read = (text: string): JobSpec => JSON.parse(text) as JobSpec
