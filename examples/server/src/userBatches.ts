/**
 * What the batch endpoints of both hosts share: the actions on users, and the options.
 */
import { setTimeout as delay } from "node:timers/promises"

import { type BatchOptions, failure, type HeaderRulesOptions, resource, type Resource } from "@multistatus/core"
import { sqlUnitOfWork } from "@multistatus/store-sql"
import * as z from "zod"

import type { Configuration } from "./Configuration.ts"
import type { Stores } from "./stores.ts"
import { isUserFailure } from "./UserFailure.ts"
import { NewUser, UserPatch } from "./userInput.ts"
import type { Users } from "./Users.ts"

/** The actions on users, and two to try things with: `sleep` waits for `data.ms`, `boom` throws. */
export const userResource = (users: Users): Resource =>
  resource("users", {
    create: {
      input: NewUser,
      run: (user) => users.create(user),
      runMany: (items) => users.createMany(items.map(({ input }) => input)),
    },
    update: {
      input: UserPatch,
      run: (patch, { id }) => users.update(id, patch),
      runMany: (items) => users.updateMany(items.map(({ id, input }) => ({ id, patch: input }))),
    },
    delete: {
      run: async (_, { id }) => {
        await users.remove(id)
        return { id }
      },
      runMany: (items) => users.removeMany(items.map(({ id }) => id)),
    },
    sleep: {
      identified: false,
      input: z.object({ ms: z.int().min(0).max(600_000) }),
      run: ({ ms }, { signal }) => delay(ms, { slept: ms }, { signal }),
    },
    boom: {
      identified: false,
      run: () => {
        throw new Error("boom")
      },
    },
  })

/** Where clients find their jobs. */
export const jobsPath = "/api/v1/jobs"

/** The options of every endpoint. */
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
 * What endpoints of actions have beside: where the store is the database itself, operations with keys happen exactly once.
 */
export const actionOptions = (stores: Stores, configuration: Configuration) =>
  ({
    idempotency: { ...idempotency(stores, configuration), sameTransaction: stores.transactional },
  }) satisfies BatchOptions

const idempotency = (stores: Stores, configuration: Configuration) => ({
  store: stores.idempotency,
  ttl: configuration.idempotencyTtlSeconds * 1000,
})

/** Who is calling is said by the outer request alone. */
export const headerRules: HeaderRulesOptions = { credentials: ["x-api-key"] }
