/** Finds the references of the sub-requests of one batch. */
import type { HeaderRecord } from "../../batch/Headers.ts"
import * as Reference from "./Reference.ts"
import type { SubRequest } from "./SubRequest.ts"

/** The references of one sub-request. */
export interface RequestReferences extends Pick<SubRequest, "urlTemplate" | "headerTemplates" | "bodyHasReferences"> {
  /** The ids of the sub-requests that are referred to. */
  readonly ids: ReadonlySet<string>
}

/** The references of a sub-request that has none. */
export const noReferences: RequestReferences = {
  urlTemplate: undefined,
  headerTemplates: undefined,
  bodyHasReferences: false,
  ids: new Set(),
}

/** The effort (see `Reference.effort`) that one batch may take; only hostile texts need more. */
const maximumEffort = 500_000

/** Reads the references of the sub-requests of one batch. */
export class ReferenceReader {
  private readonly known: Reference.KnownIds
  private remainingEffort = maximumEffort

  /** `ids` are the ids of all sub-requests of the batch. */
  constructor(ids: ReadonlySet<string>) {
    this.known = Reference.knownIds(ids)
  }

  /** Reads the references of one sub-request; undefined if that would take too much effort. */
  read({ url, headers, body }: Pick<SubRequest, "url" | "headers" | "body">): RequestReferences | undefined {
    const effort = this.effortOf(url, headers, body)
    if (effort > this.remainingEffort) return undefined
    this.remainingEffort -= effort
    const ids = new Set<string>()
    const parse = (text: string): Reference.Template | undefined => {
      const template = Reference.parse(text, this.known)
      for (const part of template ?? []) if (typeof part !== "string") ids.add(part.id)
      return template
    }
    const urlTemplate = parse(url)
    let headerTemplates: Map<string, Reference.Template> | undefined
    for (const name in headers) {
      const template = parse(headers[name]!)
      if (template !== undefined) (headerTemplates ??= new Map()).set(name, template)
    }
    const bodyHasReferences = visitStrings(body, (text) => parse(text) !== undefined)
    return { urlTemplate, headerTemplates, bodyHasReferences, ids }
  }

  private effortOf(url: string, headers: HeaderRecord, body: unknown): number {
    let effort = Reference.effort(url, this.known)
    for (const name in headers) effort += Reference.effort(headers[name]!, this.known)
    visitStrings(body, (text) => {
      effort += Reference.effort(text, this.known)
      return false
    })
    return effort
  }
}

// Returns whether `visit` has returned true for any string. Recursion is bounded by the limit on the depth of bodies.
const visitStrings = (value: unknown, visit: (text: string) => boolean): boolean => {
  if (typeof value === "string") return visit(value)
  if (typeof value !== "object" || value === null) return false
  let isAny = false
  for (const member of Array.isArray(value) ? value : Object.values(value)) isAny = visitStrings(member, visit) || isAny
  return isAny
}
