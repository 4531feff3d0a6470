import * as Predicate from "effect/Predicate"
import type { ValueFormat } from "../batch/Codec.ts"

/** Stores the values that actions return as JSON. The stub of a value that is too large is its `id`. */
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
