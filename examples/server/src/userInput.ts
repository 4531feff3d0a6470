/**
 * The schemas of users as clients send them. Both are Standard Schemas.
 */
import * as z from "zod"

import { type FieldFailure, invalid } from "./UserFailure.ts"

// JSON allows NUL and lone surrogates. PostgreSQL rejects NUL and silently replaces lone surrogates.
const unstorable = /[\0\p{Surrogate}]/u

const name = z
  .string({ error: ({ input }) => (input === undefined ? "Name is required" : "Name must be a string") })
  .refine(
    (text) => text.length > 0 && text.length <= 400 && [...text].length <= 200,
    "Name must have 1 to 200 characters",
  )
  .refine((text) => !unstorable.test(text), "Name must be valid Unicode without NUL")

const email = z.email("Invalid email format").max(254, "Invalid email format").nullish()

/** Schema of a user to create: a name, an optional email, and any other members. */
export const NewUser = z
  .looseObject({ name, email }, "A user must be an object")
  // The server assigns the id.
  .transform(({ id: _, ...user }): NewUser => user)

/** A user to create, decoded. */
export interface NewUser {
  readonly name: string
  readonly email?: string | null | undefined
  readonly [member: string]: unknown
}

/** Schema of the members of a user to change; `email: null` removes the email. */
export const UserPatch = z
  .looseObject({ name: name.optional(), email }, "A user must be an object")
  // An item of a bulk update has an id, too.
  .transform(({ id: _, ...patch }): UserPatch => patch)

/** Members of a user to change, decoded. */
export interface UserPatch {
  readonly name?: string | undefined
  readonly email?: string | null | undefined
  readonly [member: string]: unknown
}

/** Decodes an input, or throws a `VALIDATION_ERROR` that names the fields at fault. */
export const validate = <Output>(schema: z.ZodType<Output>, input: unknown): Output => {
  const { success, data, error } = schema.safeParse(input)
  if (success) return data
  const [first, ...others] = error.issues.map(({ path, message }): FieldFailure => ({
    ...(path.length > 0 && { field: path.join(".") }),
    message,
  }))
  throw invalid([first ?? { message: "Invalid input" }, ...others])
}
