import { createHash } from "node:crypto"

/** What is needed of a pool of `pg`. */
export interface MarkablePool {
  readonly on: (event: "connect", listener: (client: MarkableClient) => void) => unknown
}

/** What is needed of a client of `pg`. */
export interface MarkableClient {
  query: (...parameters: never) => unknown
}

const marker = "/* multistatus prepare */"

/**
 * Makes every client of a `pg` pool prepare, by name, the statements that this package marks for it.
 *
 * **When to use** For a pool of your own; `openDatabase` does it by itself. Kysely sends texts without names, so that
 * PostgreSQL parses and plans each of them anew.
 *
 * **Details** Marked are texts that depend on a table alone, not on the rows, so there are few of them on a connection.
 *
 * **Gotchas** Leave it out behind a pooler that hands out connections by the transaction and does not follow prepared
 * statements.
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
  const known = names.get(text)
  if (known !== undefined) return known
  if (names.size >= 1000) names.clear()
  const name = `multistatus_${createHash("sha256").update(text).digest("hex").slice(0, 32)}`
  names.set(text, name)
  return name
}
