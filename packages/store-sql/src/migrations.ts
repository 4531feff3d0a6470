/**
 * What the store owns in a database: SQL texts, by dialect and in order.
 */
import type { DatabaseDialect } from "./DatabaseUrl.ts"

/** Name of the routine that isolates rows. @internal */
export const rowRoutine = "multistatus_rows"

/** A migration: its name, which orders it, and its statements; each can be run again. @internal */
export interface StoreMigration {
  readonly name: string
  readonly statements: ReadonlyArray<string>
}

// The statement on all rows runs in a block of its own, so that a failure undoes it alone. Then the rows come one by
// one, each in its own block, through a statement prepared once: parsing and planning it for each row would take most of
// the time. The routine runs with its caller's rights and search path, so that statements mean what they mean outside.
const postgresRows = `
create or replace function ${rowRoutine}(
  whole text, columns text[], expected int4, single text, arguments text[], sequence int4[], quiet boolean,
  refused text, alone boolean)
returns setof record language plpgsql volatile security invoker as $routine$
declare
  place int4;
  answered int8;
  positions int4[] := '{}';
  states text[] := '{}';
  constraints text[] := '{}';
  faulty text[] := '{}';
  types text[] := '{}';
  details text[] := '{}';
  messages text[] := '{}';
  r_state text;
  r_constraint text;
  r_column text;
  r_type text;
  r_detail text;
  r_message text;
begin
  if alone then
    set constraints all immediate;
  end if;
  if whole is not null then
    begin
      return query execute whole using columns;
      get diagnostics answered = row_count;
      if expected is null or answered = expected then
        return;
      end if;
      raise exception 'rows were left out';
    exception when data_exception or integrity_constraint_violation or with_check_option_violation or raise_exception then
      return query execute refused using
        array[0], array['again'], array[''], array[''], array[''], array[''], array[''];
    end;
  end if;
  if exists (select from pg_catalog.pg_prepared_statements p where p.name = 'multistatus_row') then
    deallocate multistatus_row;
  end if;
  execute 'prepare multistatus_row as ' || single;
  for i in 1 .. pg_catalog.cardinality(arguments) loop
    place := coalesce(sequence[i], i);
    begin
      if quiet then
        execute 'execute multistatus_row(' || arguments[place] || place || ')';
      else
        return query execute 'execute multistatus_row(' || arguments[place] || place || ')';
      end if;
    exception when data_exception or integrity_constraint_violation or with_check_option_violation or raise_exception then
      get stacked diagnostics r_state = returned_sqlstate, r_constraint = constraint_name, r_column = column_name,
        r_type = pg_datatype_name, r_detail = pg_exception_detail, r_message = message_text;
      positions := positions || place;
      states := states || r_state;
      constraints := constraints || r_constraint;
      faulty := faulty || r_column;
      types := types || r_type;
      details := details || r_detail;
      messages := messages || r_message;
    end;
  end loop;
  deallocate multistatus_row;
  if pg_catalog.cardinality(positions) > 0 then
    return query execute refused using positions, states, constraints, faulty, types, details, messages;
  end if;
end
$routine$`

// Some errors come as warnings (an unknown value of an enumeration), and warnings that are none as well; the count of rows,
// which is -1 after an error, tells them apart. The error is the last of the conditions, behind what led to it.
const mysqlRows = [
  `drop procedure if exists ${rowRoutine}`,
  `create procedure ${rowRoutine}(in statements longtext, in refusals text, in alone boolean)
  modifies sql data sql security invoker
begin
  declare place int default 0;
  declare size int default json_length(statements);
  declare statement longtext;
  declare todo cursor for
    select t.s from json_table(statements, '$[*]' columns (n for ordinality, s longtext path '$')) as t order by t.n;
  if alone then start transaction; end if;
  open todo;
  while place < size do
    fetch todo into statement;
    begin
      declare affected int;
      declare conditions int;
      declare r_state varchar(5);
      declare r_number int;
      declare r_message text;
      declare exit handler for sqlexception, sqlwarning
      begin
        get diagnostics affected = row_count, conditions = number;
        get diagnostics condition conditions
          r_state = returned_sqlstate, r_number = mysql_errno, r_message = message_text;
        if affected = 0 then
          select place as \`~n\`, 0 as \`~number\`;
        elseif affected > 0 then
          begin end;
        elseif r_state like '22%' or r_state = '45000' or find_in_set(r_number, refusals) then
          select place as \`~n\`, r_number as \`~number\`, r_state as \`~state\`, r_message as \`~message\`;
        else
          if alone then rollback; end if;
          resignal;
        end if;
      end;
      set @multistatus_row = statement;
      prepare multistatus_row from @multistatus_row;
      execute multistatus_row;
      if row_count() = 0 then select place as \`~n\`, 0 as \`~number\`; end if;
    end;
    set place = place + 1;
  end while;
  close todo;
  deallocate prepare multistatus_row;
  set @multistatus_row = null;
  if alone then commit; end if;
end`,
]

const postgres: ReadonlyArray<StoreMigration> = [{ name: "0001_rows", statements: [postgresRows] }]

/** @internal */
export const storeMigrations: Readonly<Record<DatabaseDialect, ReadonlyArray<StoreMigration>>> = {
  postgres,
  pglite: postgres,
  mysql: [
    { name: "0001_rows", statements: mysqlRows },
    {
      name: "0002_commit",
      statements: [
        `create table if not exists multistatus_commit (
          id char(36) character set ascii collate ascii_bin primary key, created_at datetime(3) not null, index (created_at)
        ) engine = innodb`,
      ],
    },
  ],
  sqlite: [],
}
