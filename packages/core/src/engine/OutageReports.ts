/** Decides which errors of an unavailable database are reported, so that an outage is reported once. */

/** Milliseconds without an error after which an outage counts as over. */
const quietMs = 30_000

const lastErrorAt = new WeakMap<object, number>()

/** Returns whether an error begins an outage of `database`. Errors that follow within 30 seconds belong to the same outage. */
export const beginsOutage = (database: object, now: number = Date.now()): boolean => {
  const last = lastErrorAt.get(database)
  lastErrorAt.set(database, now)
  return last === undefined || now - last > quietMs
}
