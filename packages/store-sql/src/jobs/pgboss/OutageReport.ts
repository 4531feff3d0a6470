/** Reports the errors of pg-boss, which repeat for as long as the database is unreachable, once for each outage. */

/** Options of the report. */
export interface OutageReportOptions {
  readonly onError: (error: unknown) => void
  /** Milliseconds without an error after which an outage is over. Default 5000. */
  readonly quietMs?: number | undefined
}

/** @internal */
export class OutageReport {
  private readonly options: OutageReportOptions
  private count = 0
  private end: ReturnType<typeof setTimeout> | undefined

  constructor(options: OutageReportOptions) {
    this.options = options
  }

  /** Reports the first error of an outage, and counts the others. */
  readonly add = (error: unknown): void => {
    if (this.count++ === 0) this.options.onError(toError(error))
    clearTimeout(this.end)
    this.end = setTimeout(() => this.close(), this.options.quietMs ?? 5000)
    // The timer must not keep the process alive.
    this.end.unref()
  }

  /** Ends the outage, and reports how many errors it had if there was more than one. */
  close(): void {
    clearTimeout(this.end)
    const { count } = this
    this.count = 0
    if (count > 1) this.options.onError(new Error(`pg-boss works again, after ${count} errors in a row`))
  }
}

// pg-boss emits copies of errors, which are plain objects.
const toError = (error: unknown): Error => {
  if (error instanceof Error) return new Error(`pg-boss failed: ${messageOf(error)}`, { cause: error })
  const message = (error as { readonly message?: unknown } | null)?.message
  const text = typeof message === "string" && message !== "" ? message : (codeOf(error) ?? String(error))
  return new Error(`pg-boss failed: ${text}`, { cause: error })
}

// An `AggregateError` of refused connections has no message of its own.
const messageOf = (error: Error): string => error.message || codeOf(error) || error.name

const codeOf = (error: unknown): string | undefined => {
  const code = (error as { readonly code?: unknown } | null)?.code
  return typeof code === "string" ? code : undefined
}
