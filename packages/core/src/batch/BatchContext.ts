/** What is true of a whole batch: captured once, before any of its operations, and bound to each of them. */
import type { HeadersInput } from "./Headers.ts"

/** What every operation of a batch has in common. */
export interface BatchContext {
  /** Who is calling, as the configured tenant function says; undefined without one. */
  readonly tenant: string | undefined
  /** Headers of the outer request, by lower-case name. */
  readonly headers: HeadersInput
  /** The framework's own request. */
  readonly request: unknown
}
