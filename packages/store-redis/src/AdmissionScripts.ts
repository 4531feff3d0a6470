/**
 * The Lua scripts over what spans jobs, and what they write.
 *
 * **Details** KEYS, all in one slot:
 *
 * | key | type | |
 * |---|---|---|
 * | `counts` | hash | `q`: operations of jobs that have not ended; `t<tenant>`: jobs of a tenant that have not |
 * | `jobs` | hash | for each job that was admitted: operations, tenant, key, when it is over, whether it counts |
 * | `open` | sorted set | jobs that count, by a time since which none of their chunks was silent |
 * | `expiry` | sorted set | jobs by when they are over |
 * | `tombs` | sorted set | forgotten jobs by when that is forgotten |
 * | `names` | hash | for each key: job and fingerprint |
 *
 * @since 0.1.0
 */
import { clock } from "./jobLua.ts"

const prelude = `${clock}
local counts, jobs, open, expiry, tombs, names = unpack(KEYS)
local id = ARGV[2]
`

// ARGV: now or '', id, operations, `t<tenant>` or '', key or '', fingerprint, most operations, most jobs or '', life.
// Answers `known`, `exists` with job and whether it is the same, `full` with how many wait, `tenant-full` or `admitted`.
const admit = `${prelude}
local total, tenant, key, fingerprint, most, mostJobs = tonumber(ARGV[3]), ARGV[4], ARGV[5], ARGV[6],
  tonumber(ARGV[7]), tonumber(ARGV[8])
if call('HEXISTS', jobs, id) == 1 then return {'known'} end
local other, print = string.match(call('HGET', names, key) or '', '^(%S+) (%S+)$')
if key ~= '' and other then
  local record = call('HGET', jobs, other)
  if record and cjson.decode(record).over > now then return {'exists', other, print == fingerprint and 1 or 0} end
end
local queued = tonumber(call('HGET', counts, 'q') or 0)
if queued + total > most then return {'full', queued} end
if tenant ~= '' and mostJobs and tonumber(call('HGET', counts, tenant) or 0) >= mostJobs then return {'tenant-full'} end
call('HINCRBY', counts, 'q', total)
if tenant ~= '' then call('HINCRBY', counts, tenant, 1) end
if key ~= '' then call('HSET', names, key, id .. ' ' .. fingerprint) end
local over = now + ARGV[9]
call('HSET', jobs, id, cjson.encode({total = total, tenant = tenant, key = key, over = over, counts = true}))
call('ZADD', open, string.format('%d', now), id)
call('ZADD', expiry, string.format('%d', over), id)
return {'admitted'}`

// ARGV: now or '', id, what became of it, when that is over. `open`: it is over later. `ended`: it counts no more.
// `forgotten`: nor can its key be asked for. `gone`: nothing is known of it.
const settle = `${prelude}
local became, over = ARGV[3], tonumber(ARGV[4])
local text = call('HGET', jobs, id)
if not text then
  call('ZREM', open, id)
  call('ZREM', expiry, id)
  call('ZREM', tombs, id)
  return 0
end
local record = cjson.decode(text)
if became ~= 'open' and record.counts then
  record.counts = false
  call('HINCRBY', counts, 'q', -record.total)
  if record.tenant ~= '' and call('HINCRBY', counts, record.tenant, -1) == 0 then call('HDEL', counts, record.tenant) end
  call('ZREM', open, id)
end
if became == 'open' or became == 'ended' then
  record.over = over
  call('ZADD', expiry, string.format('%d', over), id)
else
  call('ZREM', expiry, id)
  if string.match(call('HGET', names, record.key) or '', '^%S+') == id then call('HDEL', names, record.key) end
  if became == 'gone' then
    call('HDEL', jobs, id)
    call('ZREM', tombs, id)
    return 1
  end
  call('ZADD', tombs, string.format('%d', over), id)
end
call('HSET', jobs, id, cjson.encode(record))
return 1`

// KEYS: one of the sorted sets. ARGV: now or '', age, how many. Answers the time, and each job with its own.
const older = `${clock}
local found = call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%d', now - ARGV[2]), 'LIMIT', 0, ARGV[3], 'WITHSCORES')
return {string.format('%d', now), unpack(found)}`

/** @category constructors @since 0.1.0 */
export const admissionScripts = { admit, settle, older } as const
