import { rowRoutine } from "./rowRoutine.ts"
import type { Row, Session } from "../../database/Session.ts"
import { type ConstraintSchema, columnsMentionedIn, type TableSchema } from "../TableSchema.ts"

/**
 * Reads the schema of a table from the catalog of MySQL or MariaDB. Returns `undefined` if there is no such table.
 *
 * @internal
 */
export const mysqlTableSchema = async (session: Session, quotedName: string): Promise<TableSchema | undefined> => {
  const names = [...quotedName.matchAll(/`((?:[^`]|``)*)`/g)].map(([, name = ""]) => name.replaceAll("``", "`"))
  const table = names.at(-1) ?? ""
  const schema = names.at(-2) ?? null
  const where = "table_schema = coalesce(?, database()) and table_name = ?"
  const columns = await session.query(
    `select column_name as name, data_type as type, column_type as declared, extra as extra, column_default as initial,
      character_set_name as encoding, collation_name as \`collation\` from information_schema.columns
      where ${where} order by ordinal_position`,
    [schema, table],
  )
  if (columns.length === 0) return undefined
  const indexes = await session.query(
    `select index_name as name, column_name as \`column\` from information_schema.statistics
      where ${where} and non_unique = 0 order by index_name, seq_in_index`,
    [schema, table],
  )
  const references = await session.query(
    `select constraint_name as name, column_name as \`column\`, referenced_table_name as target
      from information_schema.key_column_usage where ${where} and referenced_table_name is not null
      order by constraint_name, ordinal_position`,
    [schema, table],
  )
  const checks = await session.query(
    `select c.constraint_name as name, c.check_clause as clause from information_schema.check_constraints c
      join information_schema.table_constraints t
      on t.constraint_schema = c.constraint_schema and t.constraint_name = c.constraint_name
      where t.constraint_schema = coalesce(?, database()) and t.table_name = ?`,
    [schema, table],
  )
  const [server] = await session.query(
    `select version() as version, @@auto_increment_increment as step, (select 1 from information_schema.routines
      where routine_schema = database() and routine_name = ?) as routine,
      (select table_type from information_schema.tables where ${where}) as kind`,
    [rowRoutine, schema, table],
  )
  const isMariadb = String(server?.["version"]).includes("MariaDB")
  const columnNames = columns.map((column) => String(column["name"]))
  return {
    quotedName,
    columns: new Map(
      columns.map((column) => [
        String(column["name"]),
        {
          name: String(column["name"]),
          type: String(column["type"]).toLowerCase(),
          declaredType: String(column["declared"]),
          defaultSql: defaultSqlOf(column, isMariadb),
          isGenerated: false,
          isAutoIncrement: String(column["extra"]).includes("auto_increment"),
          encoding: "plain",
          ...(column["collation"] !== null && {
            collatedSql: `convert(? using ${String(column["encoding"])}) collate ${String(column["collation"])}`,
          }),
        },
      ]),
    ),
    constraints: new Map([
      ...groupByName(indexes, "unique"),
      ...groupByName(references, "foreign-key"),
      ...checks.map(({ name, clause }): [string, ConstraintSchema] => [
        String(name),
        { kind: "check", columns: columnsMentionedIn(String(clause), columnNames) },
      ]),
    ]),
    uniques: groupByName(indexes, "unique").map(([name, constraint]) => ({
      columns: constraint.columns.filter((column) => columnNames.includes(column)),
      primary: name === "PRIMARY",
      computed: constraint.columns.some((column) => !columnNames.includes(column)),
    })),
    knowsUniques: server?.["kind"] === "BASE TABLE",
    selfReferencingColumns: references.filter(({ target }) => target === table).map((row) => String(row["column"])),
    mayAlterRows: false,
    routine: server?.["routine"] === null ? undefined : `\`${rowRoutine}\``,
    supportsReturning: isMariadb,
    autoIncrementStep: Number(server?.["step"] ?? 1),
    statementCache: new Map(),
  }
}

// MariaDB reports every default as an expression. MySQL marks the defaults that are expressions.
const defaultSqlOf = ({ initial, extra }: Row, isMariadb: boolean): string | undefined => {
  if (initial === null || initial === "NULL") return undefined
  return isMariadb || String(extra).includes("DEFAULT_GENERATED") ? String(initial) : undefined
}

const groupByName = (
  rows: ReadonlyArray<Row>,
  kind: ConstraintSchema["kind"],
): ReadonlyArray<[string, ConstraintSchema]> => {
  const groups = Map.groupBy(rows, ({ name }) => String(name))
  return [...groups].map(([name, group]) => [name, { kind, columns: group.map((row) => String(row["column"])) }])
}
