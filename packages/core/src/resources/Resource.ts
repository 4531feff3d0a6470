/** A resource and the actions that batches may ask for: what an application writes to get its endpoints. */
import type { StandardSchemaV1 } from "@standard-schema/spec"

/**
 * Where an application says once what its actions get as `tx`.
 *
 * **Example** (Kysely)
 * ```ts
 * declare module "@multistatus/core" {
 *   interface Register { readonly tx: Kysely<Tables> }
 * }
 * ```
 */
export interface Register {}

/** What actions get as `tx`; `unknown` unless it was registered. */
export type Tx = Register extends { readonly tx: infer Registered } ? Registered : unknown

/** What an action is told beside its input. */
export interface ActionContext {
  /** The id that the operation names; the empty string for actions that are not `identified`. */
  readonly id: string
  /** Position of the operation in the batch, from 0. */
  readonly index: number
  /** Who is calling, as the configured `tenant` function says. */
  readonly tenant: string | undefined
  /** The transaction of an atomic batch, or else the database; undefined without a unit of work. */
  readonly tx: Tx
  /** The framework's own request that the batch came in. */
  readonly request: unknown
  /** Fires when the time of the operation or of the batch is over. Made on first use. */
  readonly signal: AbortSignal
}

/** One of the operations that `runMany` is given. */
export interface ManyItem<Input> {
  readonly input: Input
  /** See `ActionContext.id`. */
  readonly id: string
  readonly index: number
}

/** What `runMany` is told beside its items. */
export type ManyContext = Omit<ActionContext, "id" | "index">

/**
 * One thing that can be done to a resource.
 *
 * **Details** `run` and `runMany` may answer a value, a promise or an `Effect`. A failure of the operation is made with
 * `failure` and returned or thrown; anything else that is thrown is a defect: it is logged and answered `INTERNAL`.
 * At least one of the two has to be there.
 */
export interface Action<Input> {
  /** Validates and types the input: any Standard Schema (zod, valibot, arktype, Effect Schema). Default: anything. */
  readonly input?: StandardSchemaV1<unknown, Input> | undefined
  /** Whether operations name the resource they are for by its `id`. Default: true, except for `create`. */
  readonly identified?: boolean | undefined
  /** Runs one operation. What it returns is the `data` of the result, and `id` in it the result's id. */
  readonly run?: ((input: Input, context: ActionContext) => unknown) | undefined
  /**
   * Runs many operations with one statement. Answers one value or failure per item, in order; of an item that it
   * answers a failure for it must have changed nothing. If it throws, it must have changed nothing at all: it is then
   * called again with fewer items, to find those that made it throw.
   */
  readonly runMany?: ((items: ReadonlyArray<ManyItem<Input>>, context: ManyContext) => unknown) | undefined
}

/** A resource with its actions, as endpoints take it; see `resource`. */
export interface Resource {
  /** Plural, as it is written in bodies: `users`. */
  readonly name: string
  readonly actions: ReadonlyMap<string, Action<unknown>>
}

/**
 * Defines a resource.
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
export const resource = <Inputs extends Record<string, unknown>>(
  name: string,
  actions: { readonly [Name in keyof Inputs]: Action<Inputs[Name]> },
): Resource => {
  if (typeof name !== "string" || name === "") throw new TypeError('A resource needs a name, such as "users"')
  const byName = new Map<string, Action<unknown>>()
  for (const [action, definition] of Object.entries(actions ?? {}) as unknown as Array<[string, Action<unknown>]>) {
    if (typeof definition !== "object" || definition === null) {
      throw new TypeError(`The action "${action}" of the resource "${name}" must be an object with "run" or "runMany"`)
    }
    if (typeof definition.run !== "function" && typeof definition.runMany !== "function") {
      throw new TypeError(`The action "${action}" of the resource "${name}" needs a function "run" or "runMany"`)
    }
    if (definition.input !== undefined && typeof definition.input["~standard"]?.validate !== "function") {
      throw new TypeError(`The "input" of the action "${action}" of the resource "${name}" is not a Standard Schema`)
    }
    byName.set(action, definition)
  }
  if (byName.size === 0) throw new TypeError(`The resource "${name}" has no actions`)
  return { name, actions: byName }
}

/** Whether operations of an action name an existing resource. */
export const isIdentified = (name: string, { identified = name !== "create" }: Action<unknown>): boolean => identified
