import { CodecContract } from "@multistatus/core/testing"
import * as fc from "fast-check"
import * as Bulk from "../../src/formats/BulkCodec.ts"
import * as JsonBatch from "../../src/formats/requests/JsonBatchCodec.ts"
import * as Operations from "../../src/formats/OperationsCodec.ts"
import * as HeaderRules from "../../src/http/HeaderRules.ts"
import { OperationResult } from "../../src/batch/OperationResult.ts"
import type { Reply } from "../../src/formats/requests/SubRequest.ts"

// eslint-disable-next-line no-control-regex -- ids hold none
const targetIds = fc.string({ minLength: 1, maxLength: 20 }).filter((id) => !/[\u0000-\u001f\u007f]/.test(id))

// Values as JSON.parse makes them. Names that a codec refuses are part of the hostile inputs.
const json = fc
  .jsonValue({ maxDepth: 4 })
  .map((value) => JSON.stringify(value))
  .filter((text) => !/__proto__|constructor/.test(text))
  .map((text) => JSON.parse(text) as fc.JsonValue)

const jsonObjects = fc
  .dictionary(fc.string(), json, { maxKeys: 4 })
  .filter((value) => !/__proto__|constructor|"id"/.test(JSON.stringify(value)))
  // JSON.parse makes objects with a prototype.
  .map((value) => ({ ...value }))

interface Listed {
  readonly index: number
  readonly status: string
  readonly id?: string
  readonly error?: { readonly code: string; readonly message: string }
}

const readResults = (body: unknown): ReadonlyArray<CodecContract.Reading> =>
  (body as { readonly results: ReadonlyArray<Listed> }).results.map(({ status, id, error }) => ({
    succeeded: status === "success",
    code: error?.code,
    mark: error?.message ?? id ?? "",
  }))

const success = (mark: string) => OperationResult.success({ id: mark })

/** Reads the list of the short form, or else the results of the long one. */
const readBulk = (list: string) => (body: unknown) => {
  const values = (body as Readonly<Record<string, ReadonlyArray<{ readonly id: string }> | undefined>>)[list]
  return values?.map(({ id }) => ({ succeeded: true, code: undefined, mark: id })) ?? readResults(body)
}

CodecContract.suite("bulk-create", {
  codec: Bulk.make({ action: "create", list: "users", count: "created", successStatus: 201, identified: false }),
  sent: fc.array(json, { minLength: 1, maxLength: 20 }),
  write: (items) => ({ users: [...items] }),
  see: ({ input }) => input as fc.JsonValue,
  success,
  read: readBulk("users"),
})

CodecContract.suite("bulk-update", {
  codec: Bulk.make({ action: "update", list: "users", count: "updated", successStatus: 200, identified: true }),
  sent: fc.array(fc.record({ id: targetIds, data: jsonObjects }), { minLength: 1, maxLength: 20 }),
  write: (items) => ({ users: items.map(({ id, data }) => ({ id, ...data })) }),
  see: ({ id, input }) => ({ id: id!, data: input as Record<string, fc.JsonValue> }),
  success,
  read: readBulk("users"),
})

CodecContract.suite("bulk-delete", {
  codec: Bulk.make({ action: "delete", list: "users", count: "deleted", successStatus: 200, identified: true }),
  sent: fc.array(targetIds, { minLength: 1, maxLength: 20 }),
  write: (ids) => ({ users: [...ids] }),
  see: ({ id }) => id!,
  success,
  read: readBulk("users"),
})

CodecContract.suite("operations", {
  codec: Operations.make(),
  sent: fc.array(
    fc.record({ action: fc.string({ minLength: 1 }), id: fc.option(targetIds, { nil: undefined }), data: json }),
    { minLength: 1, maxLength: 20 },
  ),
  write: (operations) => ({
    operations: operations.map(({ action, id, data }) => ({ action, ...(id !== undefined && { id }), data })),
  }),
  see: ({ action, id, input }) => ({ action, id, data: input as fc.JsonValue }),
  success,
  read: readResults,
  hostile: ["valueOf", "toString", "__proto__", "constructor", "hasOwnProperty"].map((action) => ({
    operations: [
      { action, id: "u_1", data: {} },
      { action, data: { id: action } },
    ],
  })),
})

const ids = fc.string({ minLength: 1, maxLength: 256, unit: "binary" })

interface Sent {
  readonly id: string
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: unknown
  readonly dependsOn: ReadonlyArray<string>
}

const requests: fc.Arbitrary<ReadonlyArray<Sent>> = fc
  .uniqueArray(
    fc.record({
      id: ids,
      method: fc.constantFrom("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"),
      url: fc.array(fc.stringMatching(/^[\w~-]+$/), { minLength: 1 }).map((parts) => `/${parts.join("/")}`),
      headers: fc.dictionary(fc.stringMatching(/^if-[a-z]{1,8}$/), fc.stringMatching(/^[!-~]*$/)),
      body: json.filter((value) => value !== null && !JSON.stringify(value).includes("@{")),
      dependsOn: fc.array(fc.nat()),
    }),
    { minLength: 1, maxLength: 20, selector: ({ id }) => id },
  )
  .map((all) =>
    all.map(({ id, method, url, headers, body, dependsOn }, index) => ({
      id,
      method,
      url,
      headers: { ...headers },
      body: method === "GET" || method === "HEAD" ? undefined : body,
      dependsOn: index === 0 ? [] : [...new Set(dependsOn.map((number) => all[number % index]!.id))],
    })),
  )

const reply = (body: unknown): Reply => {
  const text = JSON.stringify(body)
  return { status: 200, headers: { "content-type": "application/json" }, body: new TextEncoder().encode(text), text }
}

interface Response {
  readonly status: number
  readonly body: { readonly code?: string; readonly detail?: string; readonly mark?: string }
}

const floods = "@{".repeat(1_000)

CodecContract.suite("JSON batch", {
  codec: JsonBatch.make({ headers: HeaderRules.make() }),
  sent: requests,
  write: (sent) => ({ requests: sent.map(({ body, ...rest }) => (body === undefined ? rest : { ...rest, body })) }),
  see: ({ id, action, input, dependsOn }) => ({
    id: id!,
    method: action,
    url: input.url,
    headers: { ...input.headers },
    body: input.body,
    dependsOn: dependsOn.map(({ operation }) => operation.id!),
  }),
  success: (mark) => OperationResult.replied(200, reply({ mark })),
  read: (body) =>
    (body as { readonly responses: ReadonlyArray<Response> }).responses.map(({ status, body }) => ({
      succeeded: status < 400,
      code: body.code,
      mark: body.mark ?? body.detail ?? "",
    })),
  hostile: [
    { requests: [{ id: "a", method: "GET", url: "/", dependsOn: ["a"] }] },
    { requests: [{ id: "a", method: "GET", url: "/@{a.body}" }] },
    { requests: ["a", "b", "c"].map((id, at) => ({ id, method: "GET", url: "/", dependsOn: [["b", "c", "a"][at]] })) },
    { requests: ["a", "b"].map((id, at) => ({ id, method: "PUT", url: "/", body: `@{${["b", "a"][at]}.body}` })) },
    { requests: [{ id: "__proto__", method: "GET", url: "/@{__proto__.body.__proto__}" }] },
    { requests: [{ id: "a", method: "GET", url: "/", dependsOn: ["__proto__", "constructor"] }] },
    { requests: [{ id: "a", method: "GET", url: "/", dependsOn: { length: 1 } }] },
    { requests: [{ id: "a", method: "GET", url: "/", headers: JSON.parse(`{"__proto__":{"polluted":"yes"}}`) }] },
    {
      requests: Array.from({ length: 100 }, (_, at) => ({
        id: "@{".repeat(at + 1),
        method: "PUT",
        url: "/",
        body: floods,
      })),
    },
    {
      requests: Array.from({ length: 100 }, (_, at) => ({
        id: String(at),
        method: "GET",
        url: "/",
        dependsOn: Array.from({ length: 100 }, (_, to) => String(to)).filter((to) => to !== String(at)),
      })),
    },
    { requests: [{ id: "a".repeat(100_000), method: "GET", url: "/" }] },
  ],
})
