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
 * **Details** Only statements whose text depends on the table but not on the rows are marked, so a connection has few. A
 * statement whose plan became invalid, because its table was altered, is prepared anew and sent once more.
 *
 * **Gotchas** Do not use it behind a connection pooler in transaction mode that does not support prepared statements, such as
 * PgBouncer before 1.21. `openDatabase` does not prepare statements behind a pooler.
 */
export const prepareMarked = <Pool extends MarkablePool>(pool: Pool): Pool => prepareMarkedIf(pool, () => true)

/** Does so for statements that are sent while `isEnabled` returns true. @internal */
export const prepareMarkedIf = <Pool extends MarkablePool>(pool: Pool, isEnabled: () => boolean): Pool => {
  pool.on("connect", (client) => {
    const query = client.query.bind(client) as (...parameters: ReadonlyArray<unknown>) => unknown
    // A statement that is prepared anew needs another name on this connection.
    const generations = new Map<string, number>()
    const send = (text: string, rest: ReadonlyArray<unknown>) =>
      query({ name: `${nameOf(text)}${generations.get(text) ?? ""}`, text }, ...rest)
    client.query = (...parameters: ReadonlyArray<unknown>) => {
      const [text, ...rest] = parameters
      if (typeof text !== "string" || !text.startsWith(marker) || !isEnabled()) return query(...parameters)
      const reply = send(text, rest)
      if (!(reply instanceof Promise)) return reply
      return reply.catch((error: unknown) => {
        if (!isPlanOutdated(error)) throw error
        generations.set(text, (generations.get(text) ?? 0) + 1)
        // Inside a transaction the second attempt fails, too: the first error has ended the transaction.
        return (send(text, rest) as Promise<unknown>).catch((second: unknown) => {
          throw hasCode(second, "25P02") ? error : second
        })
      })
    }
  })
  return pool
}

// "cached plan must not change result type": the table was altered after the statement was prepared.
const isPlanOutdated = (error: unknown): boolean =>
  hasCode(error, "0A000") && (error as { routine?: unknown }).routine === "RevalidateCachedQuery"

const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && "code" in error && error.code === code

const names = new Map<string, string>()

const nameOf = (text: string): string => {
  const cached = names.get(text)
  if (cached !== undefined) return cached
  if (names.size >= 1000) names.clear()
  const name = `multistatus_${createHash("sha256").update(text).digest("hex").slice(0, 32)}`
  names.set(text, name)
  return name
}
