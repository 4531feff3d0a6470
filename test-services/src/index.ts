/**
 * Real PostgreSQL, Redis and MariaDB servers for tests, started from installed binaries and gone with the process.
 *
 * A test file that wants to break a server starts its own; the others share one through the global setups
 * `@multistatus/test-services/{postgres,redis,redis-cluster,mariadb}`.
 */
export { freshDatabase } from "./freshDatabase.ts"
export type { Server, ServerOptions } from "./Server.ts"
export { startMariadb } from "./startMariadb.ts"
export { startPgbouncer } from "./startPgbouncer.ts"
export { startPostgres } from "./startPostgres.ts"
export { type Proxy, type ProxyOptions, startProxy } from "./startProxy.ts"
export { type RedisOptions, startRedis } from "./startRedis.ts"
export type { Key } from "./Provided.ts"
