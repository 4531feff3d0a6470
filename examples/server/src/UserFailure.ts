/**
 * The failures of actions on users. They are plain objects, because an `Error` for each of a thousand failing rows would
 * capture a thousand stack traces.
 */

/** A fault in one field. */
export interface FieldFailure {
  readonly field?: string
  readonly message: string
}

/** A failure as the client gets it: a code, a message, and the fields at fault. */
export type UserFailure =
  | { readonly code: "NOT_FOUND"; readonly message: string }
  | { readonly code: "DUPLICATE"; readonly field: "email"; readonly message: string }
  | ({ readonly code: "VALIDATION_ERROR"; readonly errors?: ReadonlyArray<FieldFailure> } & FieldFailure)

/** The failure of an action on an id that no user has. */
export const userNotFound = (id: string): UserFailure => ({ code: "NOT_FOUND", message: `User ${id} not found` })

/** The failure to store an email that another user has. */
export const emailTaken = {
  code: "DUPLICATE",
  field: "email",
  message: "Email already exists",
} as const satisfies UserFailure

/** The failure of an invalid input: the first fault, and all faults if there are several. */
export const invalid = (faults: readonly [FieldFailure, ...ReadonlyArray<FieldFailure>]): UserFailure => ({
  code: "VALIDATION_ERROR",
  ...faults[0],
  ...(faults.length > 1 && { errors: faults }),
})

/** Whether a thrown value is a `UserFailure`. */
export const isUserFailure = (value: unknown): value is UserFailure =>
  typeof value === "object" &&
  value !== null &&
  !(value instanceof Error) &&
  "code" in value &&
  (value.code === "NOT_FOUND" || value.code === "DUPLICATE" || value.code === "VALIDATION_ERROR")
