import { rowRoutine } from "../rowRoutine.ts"
import type { Row, Session } from "../../database/Session.ts"
import { type ConstraintSchema, mentioned, type TableSchema } from "../TableSchema.ts"

/**
 * Looks a table up in the catalog of MySQL or MariaDB.
 *
 * @internal
 */
export const mysqlTableSchema = async (session: Session, text: string): Promise<TableSchema | undefined> => {
  const names = [...text.matchAll(/`((?:[^`]|``)*)`/g)].map(([, name = ""]) => name.replaceAll("``", "`"))
  const table = names.at(-1) ?? ""
  const schema = names.at(-2) ?? null
  const where = "table_schema = coalesce(?, database()) and table_name = ?"
  const columns = await session.look(
    `select column_name as name, data_type as type, column_type as declared, extra as extra, column_default as initial,
      character_set_name as encoding, collation_name as \`collation\` from information_schema.columns
      where ${where} order by ordinal_position`,
    [schema, table],
  )
  if (columns.length === 0) return undefined
  const indexes = await session.look(
    `select index_name as name, column_name as \`column\` from information_schema.statistics
      where ${where} and non_unique = 0 order by index_name, seq_in_index`,
    [schema, table],
  )
  const references = await session.look(
    `select constraint_name as name, column_name as \`column\`, referenced_table_name as target
      from information_schema.key_column_usage where ${where} and referenced_table_name is not null
      order by constraint_name, ordinal_position`,
    [schema, table],
  )
  const checks = await session.look(
    `select c.constraint_name as name, c.check_clause as clause from information_schema.check_constraints c
      join information_schema.table_constraints t
      on t.constraint_schema = c.constraint_schema and t.constraint_name = c.constraint_name
      where t.constraint_schema = coalesce(?, database()) and t.table_name = ?`,
    [schema, table],
  )
  const [server] = await session.look(
    `select version() as version, @@auto_increment_increment as step, (select 1 from information_schema.routines
      where routine_schema = database() and routine_name = ?) as routine`,
    [rowRoutine],
  )
  const mariadb = String(server?.["version"]).includes("MariaDB")
  const known = columns.map((column) => String(column["name"]))
  return {
    text,
    columns: new Map(
      columns.map((column) => [
        String(column["name"]),
        {
          name: String(column["name"]),
          type: String(column["type"]).toLowerCase(),
          declared: String(column["declared"]),
          initial: initialOf(column, mariadb),
          generated: false,
          counter: String(column["extra"]).includes("auto_increment"),
          form: "plain",
          ...(column["collation"] !== null && {
            collation: `convert(? using ${String(column["encoding"])}) collate ${String(column["collation"])}`,
          }),
        },
      ]),
    ),
    constraints: new Map([
      ...grouped(indexes, "unique"),
      ...grouped(references, "foreign-key"),
      ...checks.map(({ name, clause }): [string, ConstraintSchema] => [
        String(name),
        { kind: "check", columns: mentioned(String(clause), known) },
      ]),
    ]),
    uniques: grouped(indexes, "unique").map(([name, constraint]) => ({
      columns: constraint.columns.filter((column) => known.includes(column)),
      primary: name === "PRIMARY",
      computed: constraint.columns.some((column) => !known.includes(column)),
    })),
    selfReferences: references.filter(({ target }) => target === table).map((row) => String(row["column"])),
    interferes: false,
    routine: server?.["routine"] === null ? undefined : `\`${rowRoutine}\``,
    returning: mariadb,
    numberStep: Number(server?.["step"] ?? 1),
    texts: new Map(),
  }
}

// MariaDB writes every default as an expression, MySQL marks those that are one.
const initialOf = ({ initial, extra }: Row, mariadb: boolean): string | undefined => {
  if (initial === null || initial === "NULL") return undefined
  return mariadb || String(extra).includes("DEFAULT_GENERATED") ? String(initial) : undefined
}

const grouped = (
  rows: ReadonlyArray<Row>,
  kind: ConstraintSchema["kind"],
): ReadonlyArray<[string, ConstraintSchema]> => {
  const groups = Map.groupBy(rows, ({ name }) => String(name))
  return [...groups].map(([name, group]) => [name, { kind, columns: group.map((row) => String(row["column"])) }])
}
