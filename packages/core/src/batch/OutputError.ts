/** Values that an action returned and that cannot be sent to a client. */

/**
 * The value that an action returned cannot be sent to the client.
 *
 * **Details** The action did not throw this error, so it is reported as unexpected and never passed to `mapError`.
 */
export class OutputError extends Error {
  override readonly name = "OutputError"
  /** Where the value at fault is in the result, joined with dots: `data.rows`. */
  readonly path: string

  constructor(path: string, problem: string, options?: ErrorOptions) {
    super(`The action returned a value that cannot be sent: ${path} ${problem}`, options)
    this.path = path
  }
}
