/**
 * The options of the batch endpoints, made from the configuration.
 */
import { type BatchOptions, failure, type HeaderRulesOptions } from "@multistatus/core"
import { sqlUnitOfWork } from "@multistatus/store-sql"

import type { Configuration } from "./Configuration.ts"
import type { Stores } from "./stores.ts"
import { isUserFailure } from "./UserFailure.ts"
import type { Users } from "./Users.ts"

/** Path of the job endpoints. */
export const jobsPath = "/api/v1/jobs"

/** The options that all batch endpoints share. */
export const batchOptions = (users: Users, stores: Stores, configuration: Configuration) =>
  ({
    limits: {
      operations: configuration.maxOperations,
      bodyBytes: configuration.maxBodyBytes,
      deadline: configuration.deadlineMs,
    },
    concurrency: configuration.concurrency,
    unitOfWork: sqlUnitOfWork(users.db),
    idempotency: idempotency(stores, configuration),
    quota: {
      store: stores.quota,
      mode: configuration.quotaMode,
      policies: [
        {
          name: "ops",
          limit: configuration.quota,
          per: configuration.quotaWindowSeconds * 1000,
          cost: configuration.quotaCost,
        },
      ],
    },
    jobs: {
      engine: stores.jobs,
      url: jobsPath,
      above: configuration.asyncAbove,
      chunkOperations: configuration.jobChunk,
      workers: configuration.workers,
    },
    mapError: (error) =>
      isUserFailure(error) ? failure(error.code, error.message, { ...("field" in error && error) }) : undefined,
  }) satisfies BatchOptions

/**
 * The options of the bulk and operations endpoints. If the idempotency keys are in the database of the users, an operation
 * and its key commit in one transaction.
 */
export const actionOptions = (stores: Stores, configuration: Configuration) =>
  ({
    idempotency: { ...idempotency(stores, configuration), sameTransaction: stores.transactional },
  }) satisfies BatchOptions

const idempotency = (stores: Stores, configuration: Configuration) => ({
  store: stores.idempotency,
  ttl: configuration.idempotencyTtlSeconds * 1000,
})

/** Sub-requests carry the API key of the batch and cannot set another one. */
export const headerRules: HeaderRulesOptions = { credentials: ["x-api-key"] }
