/** Batch endpoints made of plain options. They return promises, so that their users need not know Effect. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { HttpRequest } from "../http/HttpMessage.ts"
import { Jobs } from "../jobs/Jobs.ts"
import * as JobSettings from "../jobs/JobSettings.ts"
import { checkOptions } from "../options/checkOptions.ts"
import type { AnyOptionGroup } from "../options/Option.ts"
import { localStores } from "../quota/QuotaSettings.ts"
import * as BatchEndpoint from "./BatchEndpoint.ts"
import type { BatchEndpoints, Endpoint } from "./BatchEndpoints.ts"
import { type BatchOptions, batchOptions } from "./BatchOptions.ts"
import { toSettings } from "./BatchSettings.ts"
import * as EndpointKind from "./EndpointKind.ts"
import * as EndpointServices from "./EndpointServices.ts"
import { makeRuntime, type Platform } from "./Platform.ts"
import * as StoreCheck from "./StoreCheck.ts"

/**
 * Makes batch endpoints that know no framework. Adapters convert its requests and responses.
 *
 * **Details** Throws a `TypeError` that names every wrong option. The options of an endpoint override those given here,
 * member by member; `limits` are merged limit by limit.
 */
export const createBatch = <Request = unknown>(
  options: BatchOptions<Request> = {},
  platform: Platform = {},
): BatchEndpoints<Request> => {
  checkOptions(batchOptions, options)
  const quotaStores = localStores()
  const { limits } = toSettings(options, quotaStores)
  const hasUnitOfWork = options.unitOfWork !== undefined
  const runtime = makeRuntime(platform, {
    limits,
    jobs: options.jobs && JobSettings.resolveOptions(options.jobs, { hasUnitOfWork, operations: limits.operations }),
  })
  const jobs = Option.getOrUndefined(runtime.runSync(Effect.serviceOption(Jobs)))
  const checkStores = StoreCheck.make((effect) => void runtime.runFork(effect))

  const endpoint = <Input>(
    own: BatchOptions<Request>,
    definitions: AnyOptionGroup,
    makeKind: () => EndpointKind.EndpointKind<Input>,
  ): Endpoint => {
    checkOptions(definitions, own)
    refuseShared(own)
    const kind = makeKind()
    const merged = { ...options, ...own, limits: { ...options.limits, ...own.limits } }
    const settings = toSettings(merged, quotaStores)
    const { idempotency, quota, onUnexpected } = merged
    checkStores([idempotency?.store, quota?.store, options.jobs?.engine.store], kind.name, onUnexpected)
    const dispatcher = kind.dispatcher(settings)
    // Each endpoint has services of its own, beside those of the runtime.
    const making = Effect.provide(
      BatchEndpoint.make({ name: kind.name, codec: kind.codec(settings), dispatcher }),
      EndpointServices.fromSettings(settings),
      { local: true },
    )
    const made = runtime.runSync("jobs" in own ? Effect.updateContext(making, withoutJobs) : making)
    // `handle` does not fail, but closing the runtime interrupts it.
    const handle = (request: HttpRequest) => runtime.runPromise(made.handle(request)).catch(() => BatchEndpoint.died)
    return { handle, describe: made.describe }
  }

  return {
    bulk: (resource, action, own = {}) =>
      endpoint(own, EndpointKind.bulkEndpointOptions, () => EndpointKind.bulk(resource, action, own)),
    operations: (resource, own = {}) =>
      endpoint(own, EndpointKind.operationsEndpointOptions, () => EndpointKind.operations(resource, own)),
    requests: (send, own = {}) =>
      endpoint(own, EndpointKind.requestsEndpointOptions, () => EndpointKind.requests(send, own)),
    jobs: jobs && {
      url: jobs.settings.url,
      handle: async (request) => {
        try {
          return await jobs.routes(request, await options.tenant?.(request.raw as Request))
        } catch (error) {
          jobs.onError(error)
          return BatchEndpoint.died
        }
      },
    },
    close: async () => {
      await jobs?.close()
      await runtime.dispose()
    },
  }
}

const withoutJobs = Context.omit(Jobs)

// An endpoint cannot override what all endpoints have in common.
const refuseShared = <Request>({ jobs, limits = {} }: BatchOptions<Request>): void => {
  const { concurrentBatches, concurrentBatchesPerTenant } = limits
  const options = {
    jobs,
    "limits.concurrentBatches": concurrentBatches,
    "limits.concurrentBatchesPerTenant": concurrentBatchesPerTenant,
  }
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue
    throw new TypeError(`"${name}" applies to all endpoints together. Set it in the options that all endpoints share`)
  }
}
