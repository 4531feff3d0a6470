/**
 * Recognises errors after which a database cannot be reached: lost and refused connections, a server that shuts down.
 */

// SQLSTATE (PostgreSQL): administrator shutdown, crash shutdown, cannot connect now, database dropped, session timeouts, too
// many connections. Class 08 is that of connection exceptions.
const sqlStates = new Set<unknown>(["57P01", "57P02", "57P03", "57P04", "57P05", "25P03", "53300"])

// MySQL and MariaDB: too many connections, host blocked, server shutdown, connection killed, session closed by the server.
const mysqlNumbers = new Set<unknown>([1040, 1053, 1129, 1203, 1927, 3169, 4031])

const mysqlCodes = new Set<unknown>(["PROTOCOL_CONNECTION_LOST", "PROTOCOL_SEQUENCE_TIMEOUT"])

// Codes of Node that any client of a network reports, so they count only in errors of the database's driver.
const networkCodes = new Set<unknown>([
  "ECONNREFUSED",
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "EHOSTDOWN",
  "ENETUNREACH",
  "ENETDOWN",
  "ENOTFOUND",
  "EAI_AGAIN",
])

// Errors of drivers without a code.
const driverMessage =
  /^Connection terminated|^Client has encountered a connection error|^timeout e(xceeded|xpired) when trying to connect|^Can't add new command when connection is in closed state|^Connection lost: |^server closed the connection/i

const maximumDepth = 8

const lostConnections = new WeakSet<Error>()

/**
 * Notes that the driver of a database threw an error. An error of the network then counts as a lost connection of the
 * database, and not of another service that a handler calls.
 *
 * @internal
 */
export const noteDriverError = (error: unknown): void => {
  if (error instanceof Error && (isNetworkError(error) || isLostConnection(error))) lostConnections.add(error)
}

const isNetworkError = (error: Error): boolean => {
  if (error instanceof AggregateError)
    return error.errors.some((inner) => inner instanceof Error && isNetworkError(inner))
  return networkCodes.has((error as { code?: unknown }).code) || driverMessage.test(error.message)
}

/**
 * Returns whether an error, or one of its causes, means that the database cannot be reached at the moment.
 *
 * @internal
 */
export const isLostConnection = (error: unknown): boolean => {
  for (
    let current = error, depth = 0;
    current instanceof Error && depth < maximumDepth;
    current = current.cause, depth++
  ) {
    const { code, errno } = current as { code?: unknown; errno?: unknown }
    if (lostConnections.has(current) || sqlStates.has(code) || mysqlCodes.has(code) || mysqlNumbers.has(errno))
      return true
    if (typeof code === "string" && /^08[0-9A-Z]{3}$/.test(code)) return true
  }
  return false
}
