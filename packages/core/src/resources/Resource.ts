/** Resources and their actions, from which an application creates its batch endpoints. */
import type { StandardSchemaV1 } from "@standard-schema/spec"
import type { Action } from "./Action.ts"
import { inputValidator, outputEncoder } from "./ActionSchema.ts"
import type { ActionDefinitions, ActionTypes, ServicesOf, TypesOf } from "./ActionTypes.ts"

/** An action whose schemas have been converted to Standard Schemas. */
export interface ResourceAction extends Pick<Action<unknown>, "identified" | "run" | "runMany"> {
  readonly input?: StandardSchemaV1 | undefined
  /** Turns the value that the action returns into the value that clients get. */
  readonly output?: StandardSchemaV1 | undefined
}

/**
 * A resource with its actions; created by `resource`.
 *
 * **Details** `Actions` has the types of the actions, and `Services` the services that their effects need. `Resource`
 * without type arguments stands for any resource that needs no services.
 */
export interface Resource<out Actions extends ActionTypes = ActionTypes, out Services = never> {
  /** Name in the plural, as in request bodies: `users`. */
  readonly name: string
  readonly actions: ReadonlyMap<string, ResourceAction>
  /** Exists only for the compiler. */
  readonly "~types"?: { readonly actions: Actions; readonly services: Services }
}

/** The types of the actions of a resource: `ActionTypesOf<typeof users>["create"]["output"]`. */
export type ActionTypesOf<Of> = Of extends Resource<infer Actions, infer _Services> ? Actions : never

/**
 * Defines a resource. Throws a `TypeError` if a definition is not valid.
 *
 * **Example** (Users)
 * ```ts
 * const users = resource("users", {
 *   create: { input: NewUser, run: (user) => insert(user), runMany: (items) => insertMany(items.map(({ input }) => input)) },
 *   update: { input: UserPatch, run: (patch, { id }) => update(id, patch) },
 *   delete: { run: (_, { id }) => remove(id) }
 * })
 * ```
 */
export const resource = <Inputs extends Readonly<Record<string, unknown>>, Sent, Outputs, Replies, ManyReplies>(
  name: string,
  actions: ActionDefinitions<Inputs, Sent, Outputs, Replies, ManyReplies>,
): Resource<TypesOf<Inputs, Sent, Replies, ManyReplies>, ServicesOf<Replies, ManyReplies>> => {
  if (typeof name !== "string" || name === "") throw new TypeError('A resource must have a name, such as "users"')
  const byName = new Map<string, ResourceAction>()
  for (const [action, definition] of Object.entries((actions ?? {}) as Readonly<Record<string, Action<unknown>>>)) {
    if (typeof definition !== "object" || definition === null) {
      throw new TypeError(`The action "${action}" of the resource "${name}" must be an object with "run" or "runMany"`)
    }
    if (typeof definition.run !== "function" && typeof definition.runMany !== "function") {
      throw new TypeError(`The action "${action}" of the resource "${name}" must have a function "run" or "runMany"`)
    }
    byName.set(action, {
      ...definition,
      input: convert(definition.input, inputValidator, `"input" of the action "${action}" of the resource "${name}"`),
      output: convert(definition.output, outputEncoder, `"output" of the action "${action}" of the resource "${name}"`),
    })
  }
  if (byName.size === 0) throw new TypeError(`The resource "${name}" has no actions: define at least one`)
  return { name, actions: byName }
}

const convert = (
  schema: unknown,
  toStandard: (schema: unknown) => StandardSchemaV1 | undefined,
  place: string,
): StandardSchemaV1 | undefined => {
  if (schema === undefined) return undefined
  const standard = toStandard(schema)
  if (standard !== undefined) return standard
  throw new TypeError(
    `The ${place} must be a Standard Schema or an Effect Schema. For JSON Schema and TypeBox, use fromAjv(ajv.compile(schema))`,
  )
}
