import * as Predicate from "effect/Predicate"
import type { ValueFormat } from "../batch/Codec.ts"

/** Keeps what actions return as the JSON it is, and of what is too large its `id`. */
export const jsonValues: ValueFormat = {
  toJson: (value) => value,
  fromJson: (json, outcome) => {
    if (outcome === "error") throw new TypeError("A failure has no value")
    return json
  },
  stub: (value) =>
    Predicate.isObject(value) && Object.hasOwn(value, "id")
      ? { id: (value as { readonly id: unknown }).id }
      : undefined,
}
