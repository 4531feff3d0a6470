/** The settings of a job that its record keeps as JSON. */
import type { Strategy } from "../batch/Strategy.ts"

export interface JobSpec {
  readonly strategy: Strategy
  /** Whether the result of a success includes what the action returned. Default: the setting of the endpoint. */
  readonly data: boolean | undefined
  /** Keeps the idempotency keys of this endpoint apart from those of others. */
  readonly keyScope: string
}

/** Encodes the settings. */
export const write = (spec: JobSpec): string => JSON.stringify(spec)

/** Decodes settings that `write` encoded, maybe on another server. */
export const read = (text: string): JobSpec => JSON.parse(text) as JobSpec
