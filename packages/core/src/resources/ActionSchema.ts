/** Schemas of the inputs and outputs of actions. */
import type { StandardSchemaV1 } from "@standard-schema/spec"
import * as Schema from "effect/Schema"

/** A schema of inputs: a Standard Schema, or an Effect Schema that decodes without services. */
export type InputSchema<Sent, Input> =
  | StandardSchemaV1<Sent, Input>
  | Schema.ConstraintCodec<Input, Sent, never, unknown>

/** A schema of outputs: a Standard Schema, or an Effect Schema that encodes without services. */
export type OutputSchema<Output> =
  | StandardSchemaV1<Output, unknown>
  | Schema.ConstraintCodec<Output, unknown, unknown, never>

/** Returns the Standard Schema that validates inputs; undefined if the value is not a schema that can. */
export const inputValidator = (schema: unknown): StandardSchemaV1 | undefined =>
  standardSchema(schema) ?? (isEffectSchema(schema) ? Schema.toStandardSchemaV1(schema) : undefined)

/** Returns the Standard Schema that encodes outputs; undefined if the value is not a schema that can. */
export const outputEncoder = (schema: unknown): StandardSchemaV1 | undefined =>
  isEffectSchema(schema) ? Schema.toStandardSchemaV1(Schema.flip(schema)) : standardSchema(schema)

const isEffectSchema = (schema: unknown): schema is Schema.Codec<unknown> => Schema.isSchema(schema)

const standardSchema = (schema: unknown): StandardSchemaV1 | undefined => {
  if ((typeof schema !== "object" && typeof schema !== "function") || schema === null) return undefined
  const { "~standard": standard } = schema as Partial<StandardSchemaV1>
  return typeof standard?.validate === "function" ? (schema as StandardSchemaV1) : undefined
}
