/**
 * Parses database URLs. It does not depend on any driver.
 */

/** A supported kind of database. `mysql` includes MariaDB. */
export type DatabaseDialect = "sqlite" | "postgres" | "pglite" | "mysql"

/** A parsed database URL. */
export interface DatabaseUrl {
  readonly dialect: DatabaseDialect
  /** SQLite and PGlite: a file, a directory or `:memory:`. Other dialects: the connection URL of the server. */
  readonly target: string
  /** PostgreSQL: the parameter `prepare=true` or `prepare=false` of the URL. `pgbouncer=true` means false. */
  readonly prepare?: boolean | undefined
}

/** The accepted forms of database URLs, for error messages. */
export const acceptedDatabaseUrls =
  "sqlite::memory:, sqlite:<file>, pglite:<directory>, pglite::memory:, postgres://…, postgresql://…, mysql://… or mariadb://…"

/** Parses a database URL. Throws an error that lists the accepted forms if it is invalid. */
export const parseDatabaseUrl = (url: string): DatabaseUrl => {
  if (typeof url !== "string") {
    throw new TypeError(
      `openDatabase needs a database URL, but got ${typeof url}; accepted are ${acceptedDatabaseUrls}`,
    )
  }
  const [, scheme = "", rest = ""] = /^([a-z]+):(.+)$/is.exec(url.trim()) ?? []
  const path = rest.replace(/^\/\/(?!$)/, "")
  switch (scheme.toLowerCase()) {
    case "sqlite":
      return { dialect: "sqlite", target: path }
    case "pglite":
      return { dialect: "pglite", target: path === "memory" ? ":memory:" : path }
    case "postgres":
    case "postgresql":
      if (isServer(rest)) return { dialect: "postgres", ...withoutPrepare(`postgres:${rest}`) }
      break
    case "mysql":
    case "mariadb":
      if (isServer(rest)) return { dialect: "mysql", target: `mysql:${rest}` }
  }
  throw new Error(`"${redactDatabaseUrl(url)}" is not a database URL; accepted are ${acceptedDatabaseUrls}`)
}

// `pg` knows none of these parameters.
const withoutPrepare = (target: string): Pick<DatabaseUrl, "target" | "prepare"> => {
  const [address = "", query] = target.split(/\?(.*)/s)
  if (query === undefined) return { target }
  const parameters = new URLSearchParams(query)
  const given = parameters.get("prepare") ?? (parameters.get("pgbouncer") === "true" ? "false" : null)
  if (given === null) return { target }
  if (given !== "true" && given !== "false") {
    throw new Error(`The parameter "prepare" of a database URL must be true or false, but is "${given}"`)
  }
  parameters.delete("prepare")
  parameters.delete("pgbouncer")
  return { target: parameters.size === 0 ? address : `${address}?${parameters}`, prepare: given === "true" }
}

/** Replaces the password in a URL by `***`, for logs and error messages. */
export const redactDatabaseUrl = (url: string): string =>
  url.replace(/(:\/\/[^:@/]*):.*@/s, "$1:***@").replace(/([?&]password=)[^&]*/gi, "$1***")

const isServer = (rest: string) => rest.startsWith("//") && URL.canParse(`http:${rest === "//" ? "//localhost" : rest}`)
