/** Resources and their actions, from which an application creates its batch endpoints. */
import type { StandardSchemaV1 } from "@standard-schema/spec"

/**
 * Registers the type of `tx`, once per application, by declaration merging.
 *
 * **Example** (Kysely)
 * ```ts
 * declare module "@multistatus/core" {
 *   interface Register { readonly tx: Kysely<Tables> }
 * }
 * ```
 */
export interface Register {}

/** The type of `tx` in actions; `unknown` unless the application registers one. */
export type Tx = Register extends { readonly tx: infer Registered } ? Registered : unknown

/** The context of an action. */
export interface ActionContext {
  /** The id of the operation; the empty string for actions that are not `identified`. */
  readonly id: string
  /** Position of the operation in the batch, from 0. */
  readonly index: number
  /** The caller, as the configured `tenant` function returns it. */
  readonly tenant: string | undefined
  /** The transaction that the operation runs in, or else the database; undefined without a unit of work. */
  readonly tx: Tx
  /** The framework's own request object of the batch. */
  readonly request: unknown
  /** Aborts when the timeout of the operation or the deadline of the batch has passed. Created on first use. */
  readonly signal: AbortSignal
}

/** One of the operations passed to `runMany`. */
export interface ManyItem<Input> {
  readonly input: Input
  /** See `ActionContext.id`. */
  readonly id: string
  readonly index: number
}

/** The context of `runMany`. */
export type ManyContext = Omit<ActionContext, "id" | "index">

/**
 * An action of a resource: `run`, `runMany`, or both.
 *
 * **Details** Both may return a value, a promise or an `Effect`. To fail an operation, return or throw a `failure`. Anything
 * else that is thrown is a defect: it is logged, and the operation fails with `INTERNAL`.
 */
export interface Action<Input> {
  /** Schema of the input: any Standard Schema (zod, valibot, arktype, Effect Schema). Default: the input is not validated. */
  readonly input?: StandardSchemaV1<unknown, Input> | undefined
  /** Whether operations must have the `id` of the resource that they are for. Default: true, except for `create`. */
  readonly identified?: boolean | undefined
  /** Runs one operation. Its return value becomes the `data` of the result, and the value's `id` the result's id. */
  readonly run?: ((input: Input, context: ActionContext) => unknown) | undefined
  /**
   * Runs many operations at once, such as with one statement. Returns one value or failure per item, in order; an item that
   * failed must have changed nothing. If it throws, it must have changed nothing at all: it is then called again with fewer
   * items to find the faulty ones.
   */
  readonly runMany?: ((items: ReadonlyArray<ManyItem<Input>>, context: ManyContext) => unknown) | undefined
}

/** A resource with its actions; created by `resource`. */
export interface Resource {
  /** Name in the plural, as in request bodies: `users`. */
  readonly name: string
  readonly actions: ReadonlyMap<string, Action<unknown>>
}

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
export const resource = <Inputs extends Record<string, unknown>>(
  name: string,
  actions: { readonly [Name in keyof Inputs]: Action<Inputs[Name]> },
): Resource => {
  if (typeof name !== "string" || name === "") throw new TypeError('A resource must have a name, such as "users"')
  const byName = new Map<string, Action<unknown>>()
  for (const [action, definition] of Object.entries(actions ?? {}) as unknown as Array<[string, Action<unknown>]>) {
    if (typeof definition !== "object" || definition === null) {
      throw new TypeError(`The action "${action}" of the resource "${name}" must be an object with "run" or "runMany"`)
    }
    if (typeof definition.run !== "function" && typeof definition.runMany !== "function") {
      throw new TypeError(`The action "${action}" of the resource "${name}" must have a function "run" or "runMany"`)
    }
    if (definition.input !== undefined && typeof definition.input["~standard"]?.validate !== "function") {
      throw new TypeError(`The "input" of the action "${action}" of the resource "${name}" must be a Standard Schema`)
    }
    byName.set(action, definition)
  }
  if (byName.size === 0) throw new TypeError(`The resource "${name}" has no actions: define at least one`)
  return { name, actions: byName }
}

/** Whether operations of an action must have the id of a resource. */
export const isIdentified = (name: string, { identified = name !== "create" }: Action<unknown>): boolean => identified
