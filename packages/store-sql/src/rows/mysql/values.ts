/**
 * Converts values for MySQL and MariaDB, and joins them as a table of JSON.
 */
import type { ColumnSchema } from "../TableSchema.ts"

/** Adds a value of a VALUES list to `values` and returns its placeholder, or DEFAULT for `undefined`. @internal */
export const placeholder = (values: Array<unknown>, value: unknown): string => {
  if (value === undefined) return "default"
  values.push(toMysqlValue(value))
  return "?"
}

/** Adds a value of a JSON array to `values` and returns its placeholder. Bytes are sent as hexadecimal text. @internal */
export const jsonPlaceholder = (values: Array<unknown>, value: unknown): string => {
  const converted = toMysqlValue(value)
  values.push(ArrayBuffer.isView(converted) ? toHex(converted) : converted)
  return "?"
}

/**
 * Converts a value for the driver. Objects and arrays become JSON, because the driver would expand them into lists.
 *
 * @internal
 */
export const toMysqlValue = (value: unknown): unknown => {
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
      throw new TypeError(`MySQL cannot store a ${typeof value}: pass text, a number, a date, bytes or a JSON value`)
  }
}

/** Converts bytes to hexadecimal text. @internal */
export const toHex = (bytes: ArrayBufferView): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex")

const wholeNumbers = new Set(["tinyint", "smallint", "mediumint", "int", "bigint"])

/** Returns whether a column stores bytes. @internal */
export const isBinary = (column: ColumnSchema | undefined): boolean => /^(var)?binary$|blob$/.test(column?.type ?? "")

/**
 * Returns the type of a column in JSON_TABLE. A key needs a type that the index can be searched with. Other values are
 * text, which the assignment converts.
 *
 * @internal
 */
export const jsonTableType = (column: ColumnSchema | undefined, isKey: boolean): string => {
  if (column?.type === "bit") return "bigint unsigned"
  if (!isKey || column === undefined || isBinary(column)) return "longtext"
  if (wholeNumbers.has(column.type)) return column.declaredType.includes("unsigned") ? "bigint unsigned" : "bigint"
  return column.type.endsWith("char") ? "varchar(768)" : "longtext"
}

/** Returns an expression that compares a column of JSON_TABLE with a column of the table. @internal */
export const toComparable = (column: ColumnSchema | undefined, name: string): string => {
  if (isBinary(column)) return `unhex(${name})`
  return column?.collatedSql?.replace("?", name) ?? name
}
