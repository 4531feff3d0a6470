/**
 * Notices that the cached schema of a table is not that of the table which a statement is about: the table was altered, or
 * `search_path` now leads to another table of the same name.
 */
import type { Session } from "../../database/Session.ts"
import type { TableSchema } from "../TableSchema.ts"

/** The error of a statement that was made for another version of the table. It has changed nothing. @internal */
export class OutdatedSchemaError extends Error {
  override readonly name = "OutdatedSchemaError"

  constructor(quotedName: string) {
    super(`The schema of the table ${quotedName} changed while it was in use: try again`)
  }
}

/**
 * Returns the SQL expression of a table's version: the identity of the table in the catalog and of everything that the cached
 * schema depends on.
 *
 * @internal
 */
export const versionSql = (
  table: string,
): string => `(select pg_catalog.hashtextextended(pg_catalog.concat_ws(',', c.oid::text,
  c.xmin::text,
  (select pg_catalog.string_agg(a.xmin::text, ',' order by a.attnum) from pg_catalog.pg_attribute a
    where a.attrelid = c.oid and a.attnum > 0),
  (select pg_catalog.string_agg(d.oid::text, ',' order by d.adnum) from pg_catalog.pg_attrdef d where d.adrelid = c.oid),
  (select pg_catalog.string_agg(g.oid::text, ',' order by g.oid) from pg_catalog.pg_trigger g where g.tgrelid = c.oid)), 0)::text
  from pg_catalog.pg_class c where c.oid = pg_catalog.to_regclass(${table}))`

const mark = "multistatus:outdated"

/** Returns an SQL condition that is true for the version of the table that the schema was read from. @internal */
export const versionCheck = ({ quotedName, version = "" }: TableSchema): string =>
  `${versionSql(`'${quotedName.replaceAll("'", "''")}'`)} is not distinct from '${version}'`

/** Returns an SQL condition that fails for another version of the table. It is evaluated once per statement. @internal */
export const versionGuard = (table: TableSchema): string =>
  // The cast of the other text fails. A constant that fails would already fail when the statement is planned.
  `(select case when ${versionCheck(table)} then '1' else '${mark}' end)::pg_catalog.int4 = 1`

/** Returns whether an error is that of `versionGuard`. @internal */
export const isOutdated = (error: unknown): boolean => error instanceof Error && error.message.includes(mark)

/** Reads the current version of a table. @internal */
export const readVersion = async (session: Session, quotedName: string): Promise<string | undefined> => {
  const [row] = await session.query(`select ${versionSql("$1::text")} as version`, [quotedName])
  return row?.["version"] === null ? undefined : String(row?.["version"])
}
