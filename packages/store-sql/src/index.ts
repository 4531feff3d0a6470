export { acceptedDatabaseUrls, type DatabaseDialect, redactDatabaseUrl } from "./DatabaseUrl.ts"
export { openDatabase, type OpenDatabaseOptions, type OpenedDatabase } from "./openDatabase.ts"
export { currentTransaction } from "./AmbientTransaction.ts"
export { guardDialect } from "./guardDialect.ts"
export { joinTransactions } from "./joinTransactions.ts"
export { OutsideTransactionError } from "./OutsideTransactionError.ts"
export { sqlUnitOfWork, type SqlUnitOfWorkOptions } from "./SqlUnitOfWork.ts"
export { isTransient } from "./transientErrors.ts"
export { capabilities, type Capabilities } from "./capabilities.ts"
export { insertMany } from "./insertMany.ts"
export { updateMany, type RowChange } from "./updateMany.ts"
export { deleteMany } from "./deleteMany.ts"
export type { DatabaseHandle, ManyOptions, Returned, Returning, RowKey } from "./ManyOptions.ts"
export { toFailure, type Violation } from "./Violation.ts"
export { migrate } from "./migrate.ts"
export { prepareMarked, type MarkableClient, type MarkablePool } from "./prepareMarked.ts"
export {
  sqlIdempotencyStore,
  type SqlIdempotencyCapabilities,
  type SqlIdempotencyOptions,
  type SqlIdempotencyStore,
} from "./sqlIdempotencyStore.ts"
export { sqlQuotaStore, type SqlQuotaStore } from "./sqlQuotaStore.ts"
export { sqlJobStore } from "./sqlJobStore.ts"
export { sqlJobs } from "./sqlJobs.ts"
export { pgBossQueue, type PgBossOptions, type PgliteLike } from "./pgBossQueue.ts"
