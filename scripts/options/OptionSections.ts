/** The sections of `docs/options.md`. */
import { answerOptions } from "../../packages/core/src/api/AnswerOptions.ts"
import { batchOptions } from "../../packages/core/src/api/BatchOptions.ts"
import { bulkOptions } from "../../packages/core/src/api/BulkOptions.ts"
import { operationsOptions } from "../../packages/core/src/api/OperationsOptions.ts"
import { headerRulesOptions, requestsOptions } from "../../packages/core/src/api/RequestsOptions.ts"
import { limitsOptions } from "../../packages/core/src/batch/Limits.ts"
import { idempotencyOptions } from "../../packages/core/src/idempotency/IdempotencyOptions.ts"
import { jobEngineOptions, jobOptions } from "../../packages/core/src/jobs/JobOptions.ts"
import type { AnyOptionGroup } from "../../packages/core/src/options/Option.ts"
import { quotaOptions, quotaPolicyOptions, rateOptions } from "../../packages/core/src/quota/QuotaOptions.ts"

/** A part of the page with a table of its own. */
export interface Section {
  readonly title: string
  readonly introduction: string
  /** Precedes the name of each option: `limits.`. */
  readonly path: string
  readonly groups: ReadonlyArray<AnyOptionGroup>
}

/** All sections, in order. */
export const sections: ReadonlyArray<Section> = [
  {
    title: "All endpoints",
    introduction:
      "You give these options to `expressBatch`, `fastifyBatch` or `createBatch`. Each endpoint can override them, except `jobs` and the limits of concurrent batches.",
    path: "",
    groups: [batchOptions],
  },
  {
    title: "Limits",
    introduction: "A limit without a default does not apply unless you set it.",
    path: "limits.",
    groups: [limitsOptions],
  },
  {
    title: "Idempotency",
    introduction: "Endpoints recognise retries if you set `idempotency`.",
    path: "idempotency.",
    groups: [idempotencyOptions],
  },
  {
    title: "Quota",
    introduction: "A quota applies if you set `quota`, with `operations` and `per`, or with `policies`.",
    path: "quota.",
    groups: [quotaOptions],
  },
  { title: "Jobs", introduction: "Batches can run as jobs if you set `jobs`.", path: "jobs.", groups: [jobOptions] },
  {
    title: "Bulk",
    introduction: "You give these options to `batch.bulk(resource, action, options)`.",
    path: "",
    groups: [bulkOptions, answerOptions],
  },
  {
    title: "Operations",
    introduction: "You give these options to `batch.operations(resource, options)`.",
    path: "",
    groups: [operationsOptions, answerOptions],
  },
  {
    title: "Requests",
    introduction:
      "You give these options to `batch.requests(app, options)`. On Express there is also [`preParsed`](frameworks.md#preparsed).",
    path: "",
    groups: [requestsOptions],
  },
]

/** The interfaces whose docstrings describe the options of each group. */
export const interfaces: ReadonlyMap<AnyOptionGroup, ReadonlyArray<readonly [file: string, name: string]>> = new Map<
  AnyOptionGroup,
  ReadonlyArray<readonly [file: string, name: string]>
>([
  [batchOptions, [["api/BatchOptions.ts", "BatchOptions"]]],
  [limitsOptions, [["batch/Limits.ts", "LimitsOptions"]]],
  [idempotencyOptions, [["idempotency/IdempotencyOptions.ts", "IdempotencyOptions"]]],
  [quotaOptions, [["quota/QuotaOptions.ts", "QuotaOptions"]]],
  [rateOptions, [["quota/QuotaOptions.ts", "RateOptions"]]],
  [
    quotaPolicyOptions,
    [
      ["quota/QuotaOptions.ts", "RateOptions"],
      ["quota/QuotaOptions.ts", "QuotaPolicyOptions"],
    ],
  ],
  [jobOptions, [["jobs/JobOptions.ts", "JobOptions"]]],
  [jobEngineOptions, [["jobs/JobOptions.ts", "JobEngine"]]],
  [answerOptions, [["api/AnswerOptions.ts", "AnswerOptions"]]],
  [bulkOptions, [["api/BulkOptions.ts", "BulkOptions"]]],
  [operationsOptions, [["api/OperationsOptions.ts", "OperationsOptions"]]],
  [requestsOptions, [["api/RequestsOptions.ts", "RequestsOptions"]]],
  [headerRulesOptions, [["http/HeaderRules.ts", "HeaderRulesOptions"]]],
])
