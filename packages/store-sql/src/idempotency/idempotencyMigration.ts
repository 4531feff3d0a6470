/**
 * The table of the idempotency store, and its routines on PostgreSQL.
 *
 * Times are milliseconds since 1970. `size` is the length of the journal in UTF-16 code units, as in the store's interface;
 * databases count differently. `claim` is the mark of the statement that last claimed or settled a record. It is used on
 * databases whose statements cannot return the previous state of a row.
 *
 * PostgreSQL indexes the minute of expiry. A result that is stored soon after its claim usually keeps this minute, so no
 * index changes, as long as the page has free space.
 */
import type { DatabaseDialect } from "../database/DatabaseUrl.ts"
import { postgresIdempotencyRoutines } from "./postgresRoutines.ts"

const postgres = [
  `create table if not exists multistatus_idempotency (
    key_hash text collate "C" primary key,
    fingerprint text collate "C" not null,
    owner text collate "C" not null,
    state text not null check (state in ('pending', 'held', 'done', 'released')),
    fence int4 not null,
    lease_until int8 not null,
    expires_at int8 not null,
    size int4 not null,
    payload text not null,
    expiry_minute int8 not null generated always as (expires_at / 60000) stored
  ) with (fillfactor = 40)`,
  `create index if not exists multistatus_idempotency_expiry on multistatus_idempotency (expiry_minute)`,
  // Records of batches are large, and PostgreSQL's default compression takes longer than the rest of the statement. Some
  // versions and builds have no lz4.
  `do $do$ begin
    if (select attcompression from pg_attribute
      where attrelid = 'multistatus_idempotency'::regclass and attname = 'payload') <> 'l' then
      execute 'alter table multistatus_idempotency alter payload set compression lz4';
    end if;
  exception when undefined_column or syntax_error or feature_not_supported or invalid_parameter_value then null;
  end $do$`,
  ...postgresIdempotencyRoutines,
]

/**
 * The statements that create the table and the routines, by dialect. Each can be run again.
 *
 * @internal
 */
export const idempotencyMigration: Readonly<Record<DatabaseDialect, ReadonlyArray<string>>> = {
  postgres,
  pglite: postgres,
  mysql: [
    `create table if not exists multistatus_idempotency (
      key_hash varchar(64) character set ascii collate ascii_bin primary key,
      fingerprint varchar(64) character set ascii collate ascii_bin not null,
      owner varchar(64) character set ascii collate ascii_bin not null,
      state varchar(8) character set ascii collate ascii_bin not null,
      fence int not null,
      lease_until bigint not null,
      expires_at bigint not null,
      size int not null,
      payload longtext character set utf8mb4 collate utf8mb4_bin not null,
      claim varchar(24) character set ascii collate ascii_bin not null,
      index (expires_at)
    ) engine = innodb`,
  ],
  sqlite: [
    `create table if not exists multistatus_idempotency (
      key_hash text primary key not null,
      fingerprint text not null,
      owner text not null,
      state text not null check (state in ('pending', 'held', 'done', 'released')),
      fence integer not null,
      lease_until integer not null,
      expires_at integer not null,
      size integer not null,
      payload text not null,
      claim text not null
    ) strict`,
    `create index if not exists multistatus_idempotency_expires_at on multistatus_idempotency (expires_at)`,
  ],
}
