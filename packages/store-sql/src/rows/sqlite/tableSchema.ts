import type { Session } from "../../database/Session.ts"
import { type ConstraintSchema, columnsMentionedIn, type TableSchema } from "../TableSchema.ts"

/**
 * Reads the schema of a table from SQLite. Returns `undefined` if there is no such table.
 *
 * @internal
 */
export const sqliteTableSchema = async (session: Session, quotedName: string): Promise<TableSchema | undefined> => {
  const names = [...quotedName.matchAll(/"((?:[^"]|"")*)"/g)].map(([, name = ""]) => name.replaceAll('""', '"'))
  const table = names.at(-1) ?? ""
  const schema = names.at(-2) ?? "main"
  const columns = await session.query(
    "select name, type, dflt_value as initial, pk, hidden from pragma_table_xinfo(?, ?)",
    [table, schema],
  )
  if (columns.length === 0) return undefined
  const indexes = await session.query(
    `select l.name as name, l.origin as origin, l.partial as partial, i.name as "column"
      from pragma_index_list(?, ?) l join pragma_index_info(l.name, ?) i where l."unique" = 1 order by l.seq, i.seqno`,
    [table, schema, schema],
  )
  const references = await session.query(
    `select id, "table" as target, "from" as "column" from pragma_foreign_key_list(?, ?) order by id, seq`,
    [table, schema],
  )
  const master = `"${schema.replaceAll('"', '""')}".sqlite_master`
  const objects = await session.query(`select type, sql from ${master} where tbl_name = ? collate nocase`, [table])
  const definition = String(objects.find(({ type }) => type === "table")?.["sql"] ?? "")
  const columnNames = columns.map((column) => String(column["name"]))
  const keys = columns.filter(({ pk }) => Number(pk) > 0)
  // An INTEGER PRIMARY KEY is the rowid, for which there is no index.
  const rowId = keys.length === 1 && String(keys[0]?.["type"]).toUpperCase() === "INTEGER" ? keys[0] : undefined
  const groups = [...Map.groupBy(indexes, ({ name }) => String(name))]
  return {
    quotedName,
    columns: new Map(
      columns.map((column) => [
        String(column["name"]),
        {
          name: String(column["name"]),
          type: String(column["type"]),
          declaredType: String(column["type"]),
          defaultSql: column["initial"] === null ? undefined : String(column["initial"]),
          isGenerated: Number(column["hidden"]) > 0,
          isAutoIncrement: column === rowId,
          encoding: "plain",
        },
      ]),
    ),
    constraints: new Map([
      ...namedChecks(definition, columnNames),
      ...[...Map.groupBy(references, ({ id }) => String(id))].map(([id, group]): [string, ConstraintSchema] => [
        `foreign key ${id}`,
        { kind: "foreign-key", columns: group.map((row) => String(row["column"])) },
      ]),
    ]),
    uniques: [
      ...(rowId === undefined ? [] : [{ columns: [String(rowId["name"])], primary: true, computed: false }]),
      ...groups.map(([, group]) => ({
        columns: group.flatMap((row) => (row["column"] === null ? [] : [String(row["column"])])),
        primary: group[0]?.["origin"] === "pk",
        computed: Number(group[0]?.["partial"]) > 0 || group.some((row) => row["column"] === null),
      })),
    ],
    knowsUniques: objects.some(({ type }) => type === "table"),
    selfReferencingColumns: references
      .filter(({ target }) => String(target).toLowerCase() === table.toLowerCase())
      .map((row) => String(row["column"])),
    mayAlterRows: objects.some(
      ({ type, sql }) => type === "trigger" && /raise\s*\(\s*ignore|instead\s+of/i.test(String(sql)),
    ),
    routine: undefined,
    supportsReturning: true,
    statementCache: new Map(),
  }
}

// The catalog does not list CHECK constraints. Named ones are read from the definition of the table.
const namedChecks = (definition: string, columns: ReadonlyArray<string>): ReadonlyArray<[string, ConstraintSchema]> =>
  [...definition.matchAll(/constraint\s+("(?:[^"]|"")*"|\w+)\s+check\s*\(/gi)].map((found) => {
    const name = (found[1] ?? "").replace(/^"(.*)"$/, "$1").replaceAll('""', '"')
    const start = found.index + found[0].length
    return [
      name,
      {
        kind: "check",
        columns: columnsMentionedIn(definition.slice(start, closingPosition(definition, start)), columns),
      },
    ]
  })

/** Returns the position of the parenthesis that closes the one before `start`. */
const closingPosition = (text: string, start: number): number => {
  let depth = 1
  for (let index = start; index < text.length; index++) {
    if (text[index] === "(") depth++
    else if (text[index] === ")" && --depth === 0) return index
  }
  return text.length
}
