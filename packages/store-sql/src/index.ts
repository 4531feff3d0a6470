// oxlint-disable-next-line import/no-unassigned-import -- first, so that an old version of Node.js fails with a sentence
import "./database/requireNode.ts"

export { acceptedDatabaseUrls, type DatabaseDialect, redactDatabaseUrl } from "./database/DatabaseUrl.ts"
export { openDatabase, type OpenDatabaseOptions, type OpenedDatabase } from "./database/openDatabase.ts"
export { currentTransaction } from "./transactions/AmbientTransaction.ts"
export { guardDialect } from "./transactions/guardDialect.ts"
export { joinTransactions } from "./transactions/joinTransactions.ts"
export { OutsideTransactionError } from "./transactions/OutsideTransactionError.ts"
export { sqlUnitOfWork, type SqlUnitOfWorkOptions } from "./transactions/sqlUnitOfWork.ts"
export { isTransient } from "./transactions/transientErrors.ts"
export { capabilities, type Capabilities } from "./database/capabilities.ts"
export { insertMany } from "./rows/insertMany.ts"
export { updateMany, type RowChange } from "./rows/updateMany.ts"
export { deleteMany } from "./rows/deleteMany.ts"
export type { DatabaseHandle, ManyOptions, Returned, Returning, RowKey } from "./rows/ManyOptions.ts"
export { sqlErrors, type SqlErrorsOptions } from "./rows/sqlErrors.ts"
export { toFailure, type Violation } from "./rows/Violation.ts"
export { migrate } from "./migrations/migrate.ts"
export { prepareMarked, type MarkableClient, type MarkablePool } from "./database/prepareMarked.ts"
export {
  sqlIdempotencyStore,
  type SqlIdempotencyCapabilities,
  type SqlIdempotencyOptions,
  type SqlIdempotencyStore,
} from "./idempotency/sqlIdempotencyStore.ts"
export { sqlQuotaStore, type SqlQuotaOptions, type SqlQuotaStore } from "./quota/sqlQuotaStore.ts"
export { sqlJobStore } from "./jobs/sqlJobStore.ts"
export { sqlJobs, type JobDatabase } from "./jobs/sqlJobs.ts"
export { pgBossQueue, type PgBossOptions, type PgliteLike } from "./jobs/pgboss/pgBossQueue.ts"
