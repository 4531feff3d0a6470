/** The services of one endpoint, made of its settings. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { BatchLimits } from "../batch/BatchLimits.ts"
import { StrategySelector } from "../batch/StrategySelector.ts"
import { TenantResolver } from "../batch/TenantResolver.ts"
import { BatchEngine } from "../engine/BatchEngine.ts"
import type { BatchServices } from "../engine/BatchServices.ts"
import { ErrorHandling } from "../engine/ErrorHandling.ts"
import { BatchPolicies } from "../execution/BatchPolicies.ts"
import { OperationConcurrency } from "../execution/OperationConcurrency.ts"
import { TransactionSize } from "../execution/TransactionSize.ts"
import { UnitOfWork } from "../execution/UnitOfWorkService.ts"
import { Idempotency } from "../idempotency/Idempotency.ts"
import { IdempotencyStore } from "../idempotency/IdempotencyStoreService.ts"
import { Planner } from "../planning/Planner.ts"
import { Quota } from "../quota/Quota.ts"
import { QuotaStore } from "../quota/QuotaStoreService.ts"
import type { BatchSettings } from "./BatchSettings.ts"

/** Makes the layer of an endpoint's services. What the endpoint does not use is not in it. */
export const fromSettings = (settings: BatchSettings): Layer.Layer<BatchEngine | BatchServices> => {
  const { limits, strategy, planner, policies, concurrency, transactionSize, mapError, onUnexpected, tenant } = settings
  const { idempotency, quota, unitOfWork } = settings
  const services = Layer.mergeAll(
    BatchLimits.layerFrom(limits),
    StrategySelector.layer(strategy),
    Planner.layerFrom(planner),
    Layer.succeed(BatchPolicies, policies),
    Layer.succeed(OperationConcurrency, concurrency),
    Layer.succeed(TransactionSize, transactionSize),
    Layer.succeed(ErrorHandling, { mapError, onUnexpected }),
    tenant === undefined
      ? Layer.empty
      : Layer.succeed(TenantResolver, (request) => Effect.promise(async () => tenant(request as never))),
    unitOfWork === undefined ? Layer.empty : Layer.succeed(UnitOfWork, unitOfWork),
    idempotency === undefined
      ? Layer.empty
      : Layer.provide(Idempotency.layerFrom(idempotency), Layer.succeed(IdempotencyStore, idempotency.store)),
    quota === undefined ? Layer.empty : Layer.provide(Quota.layerFrom(quota), Layer.succeed(QuotaStore, quota.store)),
  )
  return Layer.provideMerge(BatchEngine.layer, services)
}
