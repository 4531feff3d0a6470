/** The types that an application registers once for its actions. */

/**
 * Registers the types of `tx`, `request` and `tenant` in actions, once per application, by declaration merging.
 *
 * **Example** (Kysely on Express, where every caller is known)
 * ```ts
 * declare module "@multistatus/core" {
 *   interface Register { readonly tx: Kysely<Tables>; readonly request: Request; readonly tenant: string }
 * }
 * ```
 *
 * **Gotchas** The operations of a job have no request. If the application has jobs, register `Request | undefined`.
 */
export interface Register {}

/** The type of `tx` in actions; `unknown` unless the application registers one. */
export type Tx = Register extends { readonly tx: infer Registered } ? Registered : unknown

/** The type of `request` in actions; `unknown` unless the application registers one. */
export type BatchRequest = Register extends { readonly request: infer Registered } ? Registered : unknown

/** The type of `tenant` in actions; `string | undefined` unless the application registers a narrower one. */
export type Tenant = Register extends { readonly tenant: infer Registered extends string | undefined }
  ? Registered
  : string | undefined
