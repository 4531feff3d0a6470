import { createHash } from "node:crypto"

/** The part of a `pg` pool that `prepareMarked` uses. */
export interface MarkablePool {
  /** Adds a listener for new connections. */
  readonly on: (event: "connect", listener: (client: MarkableClient) => void) => unknown
}

/** The part of a `pg` client that `prepareMarked` uses. */
export interface MarkableClient {
  /** Sends a statement. */
  query: (...parameters: never) => unknown
}

const marker = "/* multistatus prepare */"

/**
 * Makes the clients of a `pg` pool use named prepared statements for the statements that this package marks.
 *
 * **When to use** Call it for a pool of your own; `openDatabase` calls it for its pools. Kysely sends statements without
 * names, so PostgreSQL parses and plans each of them again.
 *
 * **Details** Only statements whose text depends on the table but not on the rows are marked, so a connection has few.
 *
 * **Gotchas** Do not use it behind a connection pooler in transaction mode that does not support prepared statements.
 */
export const prepareMarked = <Pool extends MarkablePool>(pool: Pool): Pool => {
  pool.on("connect", (client) => {
    const query = client.query.bind(client) as (...parameters: ReadonlyArray<unknown>) => unknown
    client.query = (...parameters: ReadonlyArray<unknown>) => {
      const [text, ...rest] = parameters
      return typeof text === "string" && text.startsWith(marker)
        ? query({ name: nameOf(text), text }, ...rest)
        : query(...parameters)
    }
  })
  return pool
}

const names = new Map<string, string>()

const nameOf = (text: string): string => {
  const cached = names.get(text)
  if (cached !== undefined) return cached
  if (names.size >= 1000) names.clear()
  const name = `multistatus_${createHash("sha256").update(text).digest("hex").slice(0, 32)}`
  names.set(text, name)
  return name
}
