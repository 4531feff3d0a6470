/** The name of the routine that isolates failing rows. @internal */
export const rowRoutine = "multistatus_rows_2"

// Some errors are raised as warnings, such as an unknown value of an ENUM. After an error the row count is -1; after a plain
// warning it is not. The diagnostics list several conditions, of which any may be the row error.
const routineOf = (name: string, isRowError: string): ReadonlyArray<string> => [
  `drop procedure if exists ${name}`,
  `create procedure ${name}(in statements longtext, in refusals text, in alone boolean)
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
        declare known boolean default false;
        get diagnostics affected = row_count, conditions = number;
        while affected < 0 and conditions > 0 and not known do
          get diagnostics condition conditions
            r_state = returned_sqlstate, r_number = mysql_errno, r_message = message_text;
          set known = ${isRowError};
          set conditions = conditions - 1;
        end while;
        if affected = 0 then
          select place as \`~n\`, 0 as \`~number\`;
        elseif known then
          select place as \`~n\`, r_number as \`~number\`, r_state as \`~state\`, r_message as \`~message\`;
        elseif affected < 0 then
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

/** The first routine, which processes of older releases call until they are replaced. @internal */
export const firstMysqlRowRoutine = routineOf(
  "multistatus_rows",
  "r_state like '22%' or r_state = '45000' or find_in_set(r_number, refusals)",
)

/** Statements that create the routine of MySQL and MariaDB. It also takes other errors that a trigger signals. @internal */
export const mysqlRowRoutine = routineOf(
  rowRoutine,
  "r_state like '22%' or r_state = '45000' or find_in_set(r_number, refusals) or r_number = 1644 and r_state regexp '^(45|[5-9I-Z])'",
)
