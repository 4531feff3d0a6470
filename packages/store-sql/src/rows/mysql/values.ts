/**
 * Values for MySQL and MariaDB.
 */
import type { ColumnSchema } from "../TableSchema.ts"

/** A placeholder for a value of a VALUES list; DEFAULT for what a row does not give. @internal */
export const place = (values: Array<unknown>, value: unknown): string => {
  if (value === undefined) return "default"
  values.push(plain(value))
  return "?"
}

/** A placeholder for a value of a JSON array. @internal */
export const jsonPlace = (values: Array<unknown>, value: unknown): string => {
  const sent = plain(value)
  values.push(ArrayBuffer.isView(sent) ? hex(sent) : sent)
  return "?"
}

/**
 * A value as the driver is given it, which would spread objects and arrays into lists of columns and of values.
 *
 * @internal
 */
export const plain = (value: unknown): unknown => {
  switch (typeof value) {
    case "boolean":
      return value ? 1 : 0
    case "number":
      if (Number.isFinite(value)) return value
      return String(value)
    case "string":
    case "bigint":
      return value
    case "undefined":
      return null
    case "object":
      if (value === null || value instanceof Date) return value
      if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
      return JSON.stringify(value)
    default:
      throw new TypeError(`MySQL cannot store a ${typeof value}`)
  }
}

/** @internal */
export const hex = (bytes: ArrayBufferView): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex")

const wholeNumbers = new Set(["tinyint", "smallint", "mediumint", "int", "bigint"])

/** @internal */
export const isBytes = (column: ColumnSchema | undefined): boolean => /^(var)?binary$|blob$/.test(column?.type ?? "")

/**
 * The type in which a table of JSON has a column: keys need one that their index can be searched with, other values
 * become what the assignment makes of text.
 *
 * @internal
 */
export const jsonType = (column: ColumnSchema | undefined, key: boolean): string => {
  if (column?.type === "bit") return "bigint unsigned"
  if (!key || column === undefined || isBytes(column)) return "longtext"
  if (wholeNumbers.has(column.type)) return column.declared.includes("unsigned") ? "bigint unsigned" : "bigint"
  return column.type.endsWith("char") ? "varchar(768)" : "longtext"
}

/** A value of such a table as it is compared with the column. @internal */
export const joinable = (column: ColumnSchema | undefined, name: string): string => {
  if (isBytes(column)) return `unhex(${name})`
  return column?.collation?.replace("?", name) ?? name
}
