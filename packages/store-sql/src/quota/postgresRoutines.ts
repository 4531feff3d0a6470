/**
 * The routines of the quota store in PostgreSQL. They follow the arithmetic of `Gcra` step by step. They lock the row of the
 * subject before they read the clock, so the time of a subject never runs backwards.
 */

/** The name of the routine that charges. @internal */
export const chargeRoutine = "multistatus_charge"

/** The name of the routine that refunds. @internal */
export const refundRoutine = "multistatus_refund"

const routineOptions = "language plpgsql volatile security invoker"

const clock = "coalesce(in_now, extract(epoch from clock_timestamp())::float8 * 1000)"

const lock = `
  loop
    select q.state into held from multistatus_quota q where q.subject = in_subject for update;
    exit when found;
    insert into multistatus_quota (subject, state, expires_at) values (in_subject, '{"a": {}, "r": {}}', 0)
      on conflict (subject) do nothing;
  end loop;
  at_ms := ${clock};`

const charge = `
create or replace function ${chargeRoutine}(in_subject text, in_minimum int8, in_demands jsonb, in_now float8)
returns jsonb ${routineOptions} as $routine$
declare
  epsilon constant float8 := 1e-6;
  held jsonb; at_ms float8; d jsonb; run jsonb;
  total int8 := 0; most int8; fitting int8; counted int8; admitted int8; wanted int8; granted boolean;
  lim float8; win float8; bas float8; arrival float8; available float8; room float8; taken float8; price float8; missing float8; short float8;
  left_over int8; n int8; upto int8; costs float8[];
  retry float8 := 0; latest float8; standings jsonb := '[]'; fits int8[] := '{}'; arrivals float8[] := '{}'; rooms float8[] := '{}';
  i int := 0;
begin${lock}
  most := 9223372036854775807;
  for d in select * from jsonb_array_elements(in_demands) loop
    lim := (d->>'limit')::float8; win := (d->>'windowMs')::float8; bas := (d->>'base')::float8;
    arrival := least(greatest(coalesce((held->'a'->>(d->>'policy'))::float8, at_ms), at_ms), at_ms + win);
    available := (at_ms + win - arrival) * lim / win;
    room := available + epsilon - bas;
    counted := 0;
    if jsonb_array_length(d->'runs') = 0 then
      fitting := case when room >= 0 then 9223372036854775807 else -1 end;
    else
      fitting := 0;
      for run in select * from jsonb_array_elements(d->'runs') loop
        counted := counted + (run->>'count')::int8;
      end loop;
      if room >= 0 then
        for run in select * from jsonb_array_elements(d->'runs') loop
          taken := case when (run->>'cost')::float8 = 0 then (run->>'count')::float8
            else least((run->>'count')::float8, floor(room / (run->>'cost')::float8)) end;
          fitting := fitting + taken::int8;
          room := room - taken * (run->>'cost')::float8;
          exit when taken < (run->>'count')::float8;
        end loop;
      end if;
    end if;
    total := greatest(total, counted);
    most := least(most, fitting);
    fits := fits || fitting; arrivals := arrivals || arrival; rooms := rooms || available;
  end loop;
  most := least(most, total);
  granted := most >= in_minimum and (most > 0 or total = 0);
  admitted := case when granted then most else 0 end;
  wanted := case when granted then total else greatest(in_minimum, least(total, 1)) end;
  latest := at_ms;
  for d in select * from jsonb_array_elements(in_demands) loop
    i := i + 1;
    lim := (d->>'limit')::float8; win := (d->>'windowMs')::float8; bas := (d->>'base')::float8;
    costs := '{}';
    foreach upto in array array[admitted, wanted, admitted + 1] loop
      if upto = 0 and jsonb_array_length(d->'runs') > 0 then
        costs := costs || 0::float8;
        continue;
      end if;
      left_over := upto; price := bas;
      for run in select * from jsonb_array_elements(d->'runs') loop
        n := least(left_over, (run->>'count')::int8);
        price := price + n * (run->>'cost')::float8;
        left_over := left_over - n;
      end loop;
      costs := costs || price;
    end loop;
    price := costs[1];
    if not granted or admitted < total then
      missing := costs[2]; available := rooms[i];
      if granted then missing := costs[3] - price + bas; available := available - price; end if;
      if missing > lim then retry := -1;
      elsif retry >= 0 then
        short := missing - available;
        if short > epsilon then retry := greatest(retry, 1, ceil(short * win / lim - epsilon)); end if;
      end if;
    end if;
    arrival := arrivals[i];
    if granted then
      arrival := arrival + price * win / lim;
      held := jsonb_set(held, array['a', d->>'policy'], to_jsonb(arrival));
      latest := greatest(latest, arrival);
    end if;
    standings := standings || jsonb_build_object('policy', d->>'policy',
      'remaining', greatest(0, floor((at_ms + win - arrival) * lim / win + epsilon)),
      'resetMs', greatest(0, ceil(arrival - at_ms - epsilon)), 'violated', fits[i] < wanted);
  end loop;
  if granted then
    update multistatus_quota set state = held, expires_at = greatest(expires_at, ceil(latest)::int8) where subject = in_subject;
  end if;
  return jsonb_build_object('granted', granted, 'admitted', admitted,
    'retryAfterMs', case when retry < 0 then '"never"'::jsonb else to_jsonb(retry) end, 'standings', standings);
end $routine$`

const refund = `
create or replace function ${refundRoutine}(in_subject text, in_id text, in_amounts jsonb, in_now float8)
returns void ${routineOptions} as $routine$
declare held jsonb; at_ms float8; d jsonb; win float8; arrival float8; longest float8 := 1;
begin${lock}
  if (held->'r'->>in_id)::float8 > at_ms then return; end if;
  for d in select * from jsonb_array_elements(in_amounts) loop
    win := (d->>'windowMs')::float8;
    longest := greatest(longest, win);
    if held->'a' ? (d->>'policy') then
      arrival := least(greatest((held->'a'->>(d->>'policy'))::float8, at_ms), at_ms + win);
      arrival := greatest(at_ms, arrival - (d->>'amount')::float8 * win / (d->>'limit')::float8);
      held := jsonb_set(held, array['a', d->>'policy'], to_jsonb(arrival));
    end if;
  end loop;
  held := jsonb_set(held, '{r}', coalesce((select jsonb_object_agg(key, value) from jsonb_each(held->'r')
    where value::float8 > at_ms), '{}') || jsonb_build_object(in_id, at_ms + longest));
  update multistatus_quota set state = held, expires_at = greatest(expires_at, ceil(at_ms + longest)::int8) where subject = in_subject;
end $routine$`

/** The statements that create the routines. @internal */
export const postgresQuotaRoutines: ReadonlyArray<string> = [charge, refund]
