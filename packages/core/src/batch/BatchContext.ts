/** The context of a batch: captured once, before any operation runs. */
import type { HeadersInput } from "./Headers.ts"

/** What all operations of a batch share. */
export interface BatchContext {
  /** The caller, as the configured tenant function returns it; undefined without one. */
  readonly tenant: string | undefined
  /** Headers of the outer request, by lower-case name. */
  readonly headers: HeadersInput
  /** The framework's own request object. */
  readonly request: unknown
}
