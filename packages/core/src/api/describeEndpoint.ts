import type { JobEndpointOptions } from "../jobs/JobEndpoint.ts"

/** Returns what an endpoint accepts, as its `GET` answers it. */
export const describeEndpoint = <Input>({
  codec,
  limits,
  strategy,
  concurrency,
  quota,
}: JobEndpointOptions<Input>) => ({
  kind: codec.kind,
  list: codec.list,
  limits: {
    operations: limits.operations,
    body_bytes: limits.bodyBytes,
    operation_bytes: limits.operationBytes,
    ...(codec.kind === "requests" && {
      header_bytes: limits.headerBytes,
      dependencies_per_operation: limits.dependenciesPerOperation,
    }),
    depth: limits.depth,
    deadline_ms: limits.deadlineMs,
    operation_timeout_ms: limits.operationTimeoutMs,
    receive_ms: limits.receiveTimeoutMs,
    response_bytes: limits.responseBytes,
    concurrent_batches: limits.concurrentBatches,
    concurrent_batches_per_tenant: limits.concurrentBatchesPerTenant,
  },
  strategy: strategy.default._tag,
  strategies: [...new Set([strategy.default._tag, ...strategy.choices])],
  concurrency: concurrency === Number.POSITIVE_INFINITY ? "unbounded" : concurrency,
  quota: quota && {
    mode: quota.mode,
    policies: quota.rules.map(({ policy, limit, windowMs }) => ({
      name: policy,
      limit: limit / 1000,
      window_ms: windowMs,
    })),
  },
})
