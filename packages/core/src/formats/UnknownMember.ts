/** Members of an envelope or of an operation that the endpoint does not know, such as a misspelled `depends_on`. */
import { nearestName } from "../platform/nearestName.ts"

/** What happens to unknown members: `refuse` refuses what has one, `ignore` drops them. */
export type UnknownMembers = "refuse" | "ignore"

/** Returns the first member of an object that is not `known`; undefined if there is none. A member that is null is absent. */
export const find = (members: object, known: ReadonlySet<string>): string | undefined => {
  for (const name of Object.keys(members)) {
    if (!known.has(name) && (members as Readonly<Record<string, unknown>>)[name] !== null) return name
  }
  return undefined
}

/** Characters of a name that messages show; a longer name is cut. */
const shownCharacters = 64

/** Returns the message for an unknown member. It names the known member that the client most likely meant. */
export const message = (name: string, known: ReadonlySet<string>): string => {
  const shown = JSON.stringify(name.length > shownCharacters ? `${name.slice(0, shownCharacters)}…` : name)
  const nearest = name.length > shownCharacters ? undefined : nearestName(name, known)
  return nearest === undefined
    ? `Unknown member ${shown}: remove it. Known are ${[...known].join(", ")}`
    : `Unknown member ${shown}: did you mean ${JSON.stringify(nearest)}?`
}
