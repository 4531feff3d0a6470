import { redactDatabaseUrl } from "@multistatus/store-sql"

import type { Configuration } from "./Configuration.ts"

/** A kind of data that the server stores, and where. */
export interface DataPlace {
  readonly data: string
  readonly place: string
}

/** Where the server stores its data, for people to read. Passwords are left out. */
export const dataPlaces = (configuration: Configuration): ReadonlyArray<DataPlace> => [
  { data: "Users", place: databasePlace(configuration.databaseUrl) },
  ...storePlaces(configuration),
]

const databasePlace = (url: string): string => {
  const [, scheme = "", rest = ""] = /^([a-z]+):(?:\/\/)?(.*)$/is.exec(url) ?? []
  switch (scheme.toLowerCase()) {
    case "sqlite":
      return rest === ":memory:" ? `SQLite in memory, ${lost} (${keepIn("DATABASE_URL")})` : `SQLite file ${rest}`
    case "pglite":
      return /^:?memory:?$/.test(rest)
        ? `PGlite in memory, ${lost} (${keepIn("DATABASE_URL")})`
        : `PGlite directory ${rest}`
    default:
      return redactDatabaseUrl(url)
  }
}

const storePlaces = ({ store, redisUrl, databaseUrl }: Configuration): ReadonlyArray<DataPlace> => {
  switch (store) {
    case "memory":
      return [
        {
          data: "Idempotency keys, quotas, jobs",
          place: `memory, ${lost} (${keepIn("REDIS_URL or DATABASE_URL")})`,
        },
      ]
    case "redis":
      return [{ data: "Idempotency keys, quotas, jobs", place: redactDatabaseUrl(redisUrl ?? "") }]
    case "sql":
      return /^(mysql|mariadb):/i.test(databaseUrl)
        ? [
            { data: "Idempotency keys, quotas", place: "the same database" },
            { data: "Jobs", place: `memory, ${lost} (${keepIn("REDIS_URL")})` },
          ]
        : [{ data: "Idempotency keys, quotas, jobs", place: "the same database" }]
  }
}

const lost = "lost when the server stops"

const keepIn = (variables: string): string => `set ${variables} to keep them`
