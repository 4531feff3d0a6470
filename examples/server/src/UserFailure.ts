/**
 * Why something could not be done with a user. Plain values, thrown as they are: a thousand failing rows must not
 * capture a thousand stacks.
 */

/** What is wrong with one field. */
export interface FieldFailure {
  readonly field?: string
  readonly message: string
}

/** An outcome that the caller is told about: a code, a sentence, and where it applies the fields at fault. */
export type UserFailure =
  | { readonly code: "NOT_FOUND"; readonly message: string }
  | { readonly code: "DUPLICATE"; readonly field: "email"; readonly message: string }
  | ({ readonly code: "VALIDATION_ERROR"; readonly errors?: ReadonlyArray<FieldFailure> } & FieldFailure)

/** No user has this id. */
export const userNotFound = (id: string): UserFailure => ({ code: "NOT_FOUND", message: `User ${id} not found` })

/** Another user has this email. */
export const emailTaken = {
  code: "DUPLICATE",
  field: "email",
  message: "Email already exists",
} as const satisfies UserFailure

/** The input is wrong: the first fault, and all of them when there are several. */
export const invalid = (faults: readonly [FieldFailure, ...ReadonlyArray<FieldFailure>]): UserFailure => ({
  code: "VALIDATION_ERROR",
  ...faults[0],
  ...(faults.length > 1 && { errors: faults }),
})

/** Whether a thrown value is one of these outcomes. */
export const isUserFailure = (value: unknown): value is UserFailure =>
  typeof value === "object" &&
  value !== null &&
  !(value instanceof Error) &&
  "code" in value &&
  (value.code === "NOT_FOUND" || value.code === "DUPLICATE" || value.code === "VALIDATION_ERROR")
