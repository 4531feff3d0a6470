/**
 * The parts of the test application that do not depend on a framework. Each route calls them in about one line.
 */
import { resource, type Resource } from "../../resources/Resource.ts"
import { failure } from "../../batch/Failure.ts"
import type { BatchOptions } from "../../api/BatchOptions.ts"
import type { BulkOptions } from "../../api/BulkOptions.ts"
import type { OperationsOptions } from "../../api/OperationsOptions.ts"
import type { RequestsOptions } from "../../api/RequestsOptions.ts"

/** An item of the test application. */
export interface Item {
  readonly id: string
  readonly name: string
  readonly notes: ReadonlyArray<string>
}

/** The body of a `PATCH`: a new name, a note to append, and how many milliseconds it takes. */
export interface ItemPatch {
  readonly name?: string | undefined
  readonly note?: string | undefined
  readonly ms?: number | undefined
}

/** The bodies of the routes. */
export const payloads = {
  text: "Plain text, ✓ and all.\n",
  html: "<!doctype html><title>Grüße</title><p>1 &lt; 2</p>",
  binary: Uint8Array.from({ length: 256 }, (_, byte) => byte),
  chunks: ["one, ", "two, ", "three ✓"],
  large: { list: Array.from({ length: 8_000 }, (_, n) => ({ n, name: `Number ${n}`, note: 'ä\u2028"\\' })) },
  unicode: { ключ: "значение", emoji: "🎉", escape: '\u0000\u001f"\\/', separators: "\u2028\u2029" },
} as const

/** The state of a test application. */
export class Fixture {
  private readonly items = new Map<string, Item>()
  private readonly admitted = new Map<string, number>()
  /** The marks of slow requests that have begun and ended. */
  readonly marks = { began: [] as Array<string>, ended: [] as Array<string> }

  get(id: string): Item | undefined {
    return this.items.get(id)
  }

  put(id: string, name: string): Item {
    const item: Item = { id, name, notes: [] }
    this.items.set(id, item)
    return item
  }

  async patch(id: string, { name, note, ms = 0 }: ItemPatch): Promise<Item | undefined> {
    await sleep(ms)
    const item = this.items.get(id)
    if (item === undefined) return undefined
    const notes = note === undefined ? item.notes : [...item.notes, note]
    const patched: Item = { id, name: name ?? item.name, notes }
    this.items.set(id, patched)
    return patched
  }

  remove(id: string): boolean {
    return this.items.delete(id)
  }

  async slow(ms: number, mark: string | undefined): Promise<void> {
    if (mark !== undefined) this.marks.began.push(mark)
    await sleep(ms)
    if (mark !== undefined) this.marks.ended.push(mark)
  }

  /** Whether one more request is admitted: three are, for each key. */
  admit(key: string): boolean {
    const count = (this.admitted.get(key) ?? 0) + 1
    this.admitted.set(key, count)
    return count <= 3
  }

  /** The items as a resource, for bulk and operations endpoints. */
  readonly resource: Resource = resource("items", {
    create: {
      run: (input) => {
        const { id, name } = (input ?? {}) as { readonly id?: unknown; readonly name?: unknown }
        if (typeof id !== "string" || typeof name !== "string")
          return failure("VALIDATION_ERROR", `"name" must be a string`, { field: "name" })
        if (this.items.has(id)) return failure("DUPLICATE", `There is an item "${id}"`, { field: "id" })
        return this.put(id, name)
      },
    },
    update: { run: async (patch, { id }) => (await this.patch(id, patch as ItemPatch)) ?? missing(id) },
    delete: { run: (_, { id }) => (this.remove(id) ? undefined : missing(id)) },
    boom: {
      run: () => {
        throw new Error("a secret of the application")
      },
    },
  })
}

const missing = (id: string) => failure("NOT_FOUND", `There is no item "${id}"`)

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

/** Blocks the event loop for some milliseconds. */
export const busy = (ms: number): void => {
  const end = performance.now() + ms
  while (performance.now() < end);
}

/** Returns the entity tag of an item. */
export const etag = ({ id, notes }: Item): string => `"${id}-${notes.length}"`

/** The options of `createBatch`, or of the adapter's own function for it. */
export const batchOptions: BatchOptions = { limits: { bodyBytes: 1024 * 1024 }, onUnexpected: () => {} }

/** The options of the endpoint at `/batch`, which exposes all headers so that they can be compared. */
export const requestsOptions: RequestsOptions = {
  headers: {
    allow: [
      "user-agent origin access-control-request-method cache-control",
      "x-custom x-empty x-latin x-spaces x-list x-mark x-a",
    ].flatMap((names) => names.split(" ")),
  },
  exposeHeaders: [
    "content-type content-length content-encoding content-language content-disposition cache-control expires",
    "last-modified vary allow link accept-ranges content-range www-authenticate x-powered-by",
    "ratelimit ratelimit-policy x-ratelimit-limit x-ratelimit-remaining x-ratelimit-reset",
    "access-control-allow-origin access-control-allow-headers access-control-allow-credentials",
    "access-control-allow-methods access-control-expose-headers access-control-max-age content-security-policy",
    "cross-origin-embedder-policy cross-origin-opener-policy cross-origin-resource-policy origin-agent-cluster",
    "referrer-policy strict-transport-security x-content-type-options x-dns-prefetch-control x-download-options",
    "x-frame-options x-permitted-cross-domain-policies x-xss-protection",
  ].flatMap((names) => names.split(" ")),
}

/** Options of the operations endpoints for `Fixture.resource`, by path. */
export const operationsEndpoints: Readonly<Record<string, OperationsOptions>> = {
  "/items/batch": { clientStrategies: ["stop-after"] },
  "/items/batch-failed": { results: "failed" },
  "/items/batch-failed-ids": { results: "failed+ids" },
  "/items/batch-200": { status: "200" },
  "/items/batch-207": { status: "207" },
}

/** Action and options of the bulk endpoints for `Fixture.resource`, by path. */
export const bulkEndpoints: Readonly<Record<string, readonly [action: string, options: BulkOptions]>> = {
  "/items/bulk-create": ["create", {}],
  "/items/bulk-update": ["update", {}],
  "/items/bulk-delete": ["delete", {}],
  "/items/bulk-create-200": ["create", { status: "200" }],
  "/items/bulk-create-207": ["create", { status: "207", results: "failed" }],
}
