/**
 * What a database URL names. Knows the accepted forms and nothing about drivers.
 */

/** Database families that a URL can name. `mysql` stands for MariaDB too. */
export type DatabaseDialect = "sqlite" | "postgres" | "pglite" | "mysql"

/** A database URL taken apart: which dialect, and what its driver is given. */
export interface DatabaseUrl {
  readonly dialect: DatabaseDialect
  /** A file, a directory or `:memory:` for the embedded ones, a connection URL for the servers. */
  readonly target: string
}

/** The forms of URL that `parseDatabaseUrl` takes, for messages. */
export const acceptedDatabaseUrls =
  "sqlite::memory:, sqlite:<file>, pglite:<directory>, pglite::memory:, postgres://…, postgresql://…, mysql://… or mariadb://…"

/** Reads a database URL, or throws an error that names what is accepted. */
export const parseDatabaseUrl = (url: string): DatabaseUrl => {
  const [, scheme = "", rest = ""] = /^([a-z]+):(.+)$/is.exec(url.trim()) ?? []
  const path = rest.replace(/^\/\/(?!$)/, "")
  switch (scheme.toLowerCase()) {
    case "sqlite":
      return { dialect: "sqlite", target: path }
    case "pglite":
      return { dialect: "pglite", target: path === "memory" ? ":memory:" : path }
    case "postgres":
    case "postgresql":
      if (isServer(rest)) return { dialect: "postgres", target: `postgres:${rest}` }
      break
    case "mysql":
    case "mariadb":
      if (isServer(rest)) return { dialect: "mysql", target: `mysql:${rest}` }
  }
  throw new Error(`"${redactDatabaseUrl(url)}" is not a database URL; accepted are ${acceptedDatabaseUrls}`)
}

/** The URL as it may be shown: without its password. */
export const redactDatabaseUrl = (url: string): string =>
  url.replace(/(:\/\/[^:@/]*):.*@/s, "$1:***@").replace(/([?&]password=)[^&]*/gi, "$1***")

const isServer = (rest: string) => rest.startsWith("//") && URL.canParse(`http:${rest === "//" ? "//localhost" : rest}`)
