/**
 * The SQLSTATEs of errors that are about one row: data exceptions, violated constraints, WITH CHECK OPTION, and errors that
 * triggers raise, with the SQLSTATE of `raise exception`, of class 45 or of a class that neither the SQL standard nor
 * PostgreSQL uses. The pattern has the same meaning in PostgreSQL and in JavaScript.
 *
 * @internal
 */
export const rowErrorStates = "^(22|23|44|45|(?!53|54|55|57|58|72|XX|P0004)[5-9I-Z][0-9A-Z])"

/** Returns whether a trigger chose the SQLSTATE of an error, so that its message is meant for the caller. @internal */
export const isCustomState = (state: string): boolean => /^(?!53|54|55|57|58|72|XX|P0)[5-9I-Z][0-9A-Z]/.test(state)
