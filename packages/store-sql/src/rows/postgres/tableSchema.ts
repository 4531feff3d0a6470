import type { Session } from "../../database/Session.ts"
import type { ColumnSchema, ConstraintSchema, TableSchema, UniqueSchema } from "../TableSchema.ts"
import { rowRoutine } from "./currentRowRoutine.ts"
import { versionSql } from "./tableVersion.ts"

/**
 * Reads the schema of a table from the catalog of PostgreSQL. Returns `undefined` if there is no such table.
 *
 * @internal
 */
export const postgresTableSchema = async (session: Session, quotedName: string): Promise<TableSchema | undefined> => {
  const [found] = await session.query(query, [quotedName, rowRoutine])
  if (found === undefined || found["columns"] === null) return undefined
  const { columns, constraints, uniques, relationKind, mayAlterRows, routine, version } = found as unknown as CatalogRow
  return {
    quotedName,
    columns: new Map(columns.map((column) => [column.name, { ...column, defaultSql: column.defaultSql ?? undefined }])),
    constraints: new Map([
      // For an index on expressions the detail of the error is more precise.
      ...uniques
        .filter(({ computed }) => !computed)
        .map(({ name, columns }): [string, ConstraintSchema] => [name, { kind: "unique", columns }]),
      ...constraints.map(({ name, type, columns }): [string, ConstraintSchema] => [
        name,
        { kind: kinds[type] ?? "check", columns },
      ]),
    ]),
    uniques,
    knowsUniques: ["r", "p"].includes(relationKind),
    isView: relationKind === "v",
    version,
    selfReferencingColumns: constraints.flatMap(({ self, columns }) => (self ? columns : [])),
    mayAlterRows,
    routine: routine ?? undefined,
    supportsReturning: true,
    statementCache: new Map(),
  }
}

const kinds: Readonly<Record<string, ConstraintSchema["kind"]>> = {
  u: "unique",
  p: "unique",
  x: "unique",
  f: "foreign-key",
  n: "not-null",
}

interface CatalogRow {
  readonly columns: ReadonlyArray<Omit<ColumnSchema, "defaultSql"> & { readonly defaultSql: string | null }>
  readonly constraints: ReadonlyArray<{ name: string; type: string; self: boolean; columns: ReadonlyArray<string> }>
  readonly uniques: ReadonlyArray<UniqueSchema & { readonly name: string }>
  readonly relationKind: string
  readonly version: string
  readonly mayAlterRows: boolean
  readonly routine: string | null
}

// Values of a domain are cast to its base type, and the assignment converts them to the domain: a cast to the domain would
// truncate values that are too long. Arrays of composite types are sent as text, because `unnest` would expand them into the
// columns of the type. `format_type(…, -1)` returns the type without length; with null, `character` would mean one character.
const query = `
with target as (select c.oid, c.relkind, c.relhasrules from pg_catalog.pg_class c where c.oid = pg_catalog.to_regclass($1::text)),
columns as (
  select a.attname, a.attnum, a.atttypid, a.atttypmod, a.attidentity, b.base, e.typtype, e.typcategory, e.typarray, e.typdelim,
    pg_catalog.format_type(e.typelem, -1) as element, pg_catalog.format_type(b.base, -1) as type,
    a.attgenerated <> '' or a.attidentity = 'a'
      or not pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'insert') as closed,
    pg_catalog.pg_get_expr(d.adbin, d.adrelid) as given, y.typdefault, case when a.attidentity <> '' then
      pg_catalog.pg_get_serial_sequence(a.attrelid::pg_catalog.regclass::text, a.attname) end as sequence
  from target
  join pg_catalog.pg_attribute a on a.attrelid = target.oid and a.attnum > 0 and not a.attisdropped
  join pg_catalog.pg_type y on y.oid = a.atttypid
  left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum and a.attgenerated = ''
  cross join lateral (
    with recursive chain as (
      select t.oid, t.typtype, t.typbasetype from pg_catalog.pg_type t where t.oid = a.atttypid
      union all
      select t.oid, t.typtype, t.typbasetype from chain join pg_catalog.pg_type t on t.oid = chain.typbasetype
      where chain.typtype = 'd')
    select oid as base from chain where typtype <> 'd') b
  join pg_catalog.pg_type e on e.oid = b.base)
select
  (select pg_catalog.json_agg(pg_catalog.json_build_object(
    'name', attname, 'type', type, 'declaredType', pg_catalog.format_type(atttypid, atttypmod),
    'isGenerated', closed or sequence is not null and not pg_catalog.has_sequence_privilege(sequence, 'usage'),
    'isAutoIncrement', false,
    'defaultSql', case when sequence is null then coalesce(given, typdefault)
      else 'pg_catalog.nextval(' || pg_catalog.quote_literal(sequence) || '::pg_catalog.regclass)' end,
    'encoding', case
      when typcategory = 'A' and element in ('json', 'jsonb') then 'json-array'
      when typcategory = 'A' then 'array'
      when type in ('json', 'jsonb') then 'json'
      when typarray = 0 or typdelim <> ',' or typtype = 'c' then 'text'
      else 'plain' end) order by attnum) from columns) as columns,
  coalesce((select pg_catalog.json_agg(pg_catalog.json_build_object(
    'name', k.conname, 'type', k.contype, 'self', k.confrelid = k.conrelid,
    'columns', (select coalesce(pg_catalog.json_agg(c.attname order by p.place), '[]')
      from pg_catalog.unnest(k.conkey) with ordinality as p(attnum, place) join columns c on c.attnum = p.attnum)))
    from pg_catalog.pg_constraint k join target on k.conrelid = target.oid), '[]') as constraints,
  coalesce((select pg_catalog.json_agg(pg_catalog.json_build_object(
    'name', r.relname, 'primary', i.indisprimary, 'computed', i.indexprs is not null or i.indpred is not null,
    'columns', case when i.indexprs is null then
      (select pg_catalog.json_agg(c.attname order by p.place)
        from pg_catalog.unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) with ordinality as p(attnum, place)
        join columns c on c.attnum = p.attnum)
      else (select coalesce(pg_catalog.json_agg(distinct c.attname), '[]')
        from pg_catalog.pg_depend d join columns c on c.attnum = d.refobjsubid
        where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = i.indexrelid
          and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid = i.indrelid) end)
    order by i.indisprimary desc, r.relname)
    from pg_catalog.pg_index i join target on i.indrelid = target.oid
    join pg_catalog.pg_class r on r.oid = i.indexrelid where i.indisunique), '[]') as uniques,
  (select target.relkind from target) as "relationKind",
  ${versionSql("$1::text")} as version,
  (select target.relhasrules or exists (select from pg_catalog.pg_trigger g where g.tgrelid = target.oid
    and not g.tgisinternal and (g.tgtype & 64 <> 0 or g.tgtype & 7 = 7)) from target) as "mayAlterRows",
  (select pg_catalog.format('%I.%I', n.nspname, p.proname) from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace where p.proname = $2::text
    order by pg_catalog.pg_function_is_visible(p.oid) desc, n.nspname limit 1) as routine`
