import { rowErrorStates } from "./rowErrorStates.ts"

/** The name of the routine that isolates failing rows. @internal */
export const rowRoutine = "multistatus_rows_2"

// It differs from its predecessor, which processes of older releases still call, in two ways. It first evaluates `guard` and
// changes nothing if the result is not true. And it decides by the SQLSTATE which errors are about a row, because triggers can
// raise any.
/** The statement that creates the routine of PostgreSQL. @internal */
export const currentRowRoutine = `
create or replace function ${rowRoutine}(
  whole text, columns text[], expected int4, single text, arguments text[], sequence int4[], quiet boolean,
  refused text, alone boolean, guard text)
returns setof record language plpgsql volatile security invoker as $routine$
declare
  place int4;
  answered int8;
  is_current boolean;
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
  execute 'select ' || guard into is_current;
  if is_current is not true then
    return query execute refused using
      array[0], array['outdated'], array[''], array[''], array[''], array[''], array[''];
    return;
  end if;
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
    exception when others then
      get stacked diagnostics r_state = returned_sqlstate;
      if r_state !~ '${rowErrorStates}' then
        raise;
      end if;
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
    exception when others then
      get stacked diagnostics r_state = returned_sqlstate, r_constraint = constraint_name, r_column = column_name,
        r_type = pg_datatype_name, r_detail = pg_exception_detail, r_message = message_text;
      if r_state !~ '${rowErrorStates}' then
        raise;
      end if;
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
