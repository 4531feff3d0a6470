/** Finds the references of the sub-requests of one batch. */
import * as Reference from "./Reference.ts"
import type { SubRequest } from "./SubRequest.ts"

/** The references of one sub-request. */
export interface RequestReferences {
  /** The URL, split at its references; undefined if it has none. */
  readonly urlTemplate: Reference.Template | undefined
  /** Whether strings of the body contain references or escapes. */
  readonly bodyHasReferences: boolean
  /** The ids of the sub-requests that are referred to. */
  readonly ids: ReadonlySet<string>
}

/** The references of a sub-request that has none. */
export const noReferences: RequestReferences = { urlTemplate: undefined, bodyHasReferences: false, ids: new Set() }

/** The effort (see `Reference.effort`) that one batch may take; only hostile texts need more. */
const maximumEffort = 1_000_000

/** Reads the references of the sub-requests of one batch. */
export class ReferenceReader {
  private readonly known: Reference.KnownIds
  private remainingEffort = maximumEffort

  /** `ids` are the ids of all sub-requests of the batch. */
  constructor(ids: ReadonlySet<string>) {
    this.known = Reference.knownIds(ids)
  }

  /** Reads the references of one sub-request; undefined if that would take too much effort. */
  read({ url, body }: Pick<SubRequest, "url" | "body">): RequestReferences | undefined {
    const effort = this.effortOf(url, body)
    if (effort > this.remainingEffort) return undefined
    this.remainingEffort -= effort
    const ids = new Set<string>()
    const addIds = (template: Reference.Template | undefined): boolean => {
      for (const part of template ?? []) if (typeof part !== "string") ids.add(part.id)
      return template !== undefined
    }
    const urlTemplate = Reference.parse(url, this.known)
    addIds(urlTemplate)
    const bodyHasReferences = visitStrings(body, (text) => addIds(Reference.parse(text, this.known)))
    return { urlTemplate, bodyHasReferences, ids }
  }

  private effortOf(url: string, body: unknown): number {
    let effort = Reference.effort(url, this.known)
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
  for (const member of Object.values(value)) isAny = visitStrings(member, visit) || isAny
  return isAny
}
