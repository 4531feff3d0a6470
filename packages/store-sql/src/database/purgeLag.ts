import type { Session } from "./Session.ts"

const clocks = {
  postgres: "extract(epoch from clock_timestamp()) * 1000",
  pglite: "extract(epoch from clock_timestamp()) * 1000",
  mysql: "timestampdiff(microsecond, '1970-01-01', utc_timestamp(6)) / 1000",
  sqlite: "unixepoch('now', 'subsec') * 1000.0",
}

// PostgreSQL indexes the minute in which an idempotency record expires, so the lag is that of the minute.
const oldest = (session: Session, table: string): string =>
  table === "multistatus_idempotency" && (session.dialect === "postgres" || session.dialect === "pglite")
    ? "(min(expiry_minute) + 1) * 60000"
    : "min(expires_at)"

/**
 * Returns the milliseconds for which the oldest expired row of a store has been kept, or 0 if no row has expired.
 *
 * @internal
 */
export const readPurgeLag = async (session: Session, table: string): Promise<number> => {
  const [row] = await session.query(
    `select ${clocks[session.dialect]} - ${oldest(session, table)} as lag_ms from ${table}`,
    [],
  )
  return Math.max(0, Number(row?.["lag_ms"] ?? 0))
}
