/** Name of the routine that isolates rows, on every database that has one. @internal */
export const rowRoutine = "multistatus_rows"
