/** Tells the process of what nobody else was asked to be told of. */
export const emitWarning = (error: unknown): void =>
  process.emitWarning(error instanceof Error ? error : String(error), "MultistatusWarning")
