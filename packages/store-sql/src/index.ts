export { acceptedDatabaseUrls, type DatabaseDialect, redactDatabaseUrl } from "./DatabaseUrl.ts"
export { openDatabase, type OpenDatabaseOptions, type OpenedDatabase } from "./openDatabase.ts"
