/**
 * The Lua scripts over what spans jobs, and what they write.
 *
 * **Details** KEYS, all in one slot:
 *
 * | key | type | |
 * |---|---|---|
 * | `counts` | hash | `q`: operations that have not ended; `t<tenant>`, or `n` without: jobs of a tenant that have not |
 * | `jobs` | hash | for each job that was admitted: operations, how many are left, tenant, key, whether it counts |
 * | `open` | sorted set | jobs that count, by a time since which none of their chunks was silent |
 * | `expiry` | sorted set | jobs, and uploads, by when they are over |
 * | `tombs` | sorted set | forgotten jobs by when that is forgotten |
 * | `names` | hash | for each key: job and fingerprint |
 */
import { clock } from "./jobLua.ts"

const prelude = `${clock}
local counts, jobs, open, expiry, tombs, names = unpack(KEYS)
local id = ARGV[2]
`

// ARGV: now or '', id, operations, `t<tenant>` or '', key or '', fingerprint, most operations, most jobs or '', life.
// Answers `known`, `exists` with job and whether it is the same, `full` with how many wait, `tenant-full` or `admitted`.
const admit = `${prelude}
local total, key, fingerprint, most, mostJobs = tonumber(ARGV[3]), ARGV[5], ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8])
local tenant = ARGV[4] == '' and 'n' or ARGV[4]
if call('HEXISTS', jobs, id) == 1 then return {'known'} end
local other, print = string.match(call('HGET', names, key) or '', '^(%S+) (%S+)$')
if key ~= '' and other then return {'exists', other, print == fingerprint and 1 or 0} end
local queued = tonumber(call('HGET', counts, 'q') or 0)
if queued + total > most then return {'full', queued} end
if mostJobs and tonumber(call('HGET', counts, tenant) or 0) >= mostJobs then return {'tenant-full'} end
call('HINCRBY', counts, 'q', total)
call('HINCRBY', counts, tenant, 1)
if key ~= '' then call('HSET', names, key, id .. ' ' .. fingerprint) end
call('HSET', jobs, id, cjson.encode({left = total, total = total, tenant = tenant, key = key, counts = true}))
call('ZADD', open, string.format('%d', now), id)
call('ZADD', expiry, string.format('%d', now + ARGV[9]), id)
return {'admitted'}`

// ARGV: now or '', id, what became of it, when that is over or '', how many of its operations have ended or '', since when
// none of its chunks is silent or ''. Became: `open`; `ended`, it counts no more; `forgotten`, nor can its key be asked for;
// `gone`, nothing is known of it.
const settle = `${prelude}
local became, over, ended, since = ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6]
local text = call('HGET', jobs, id)
local record = text and cjson.decode(text) or {}
if record.counts then
  local left = became ~= 'open' and 0 or math.min(record.left, record.total - (ended or 0))
  call('HINCRBY', counts, 'q', left - record.left)
  record.left = left
  if became ~= 'open' then
    record.counts = false
    if call('HINCRBY', counts, record.tenant, -1) == 0 then call('HDEL', counts, record.tenant) end
  end
end
if became ~= 'open' then call('ZREM', open, id) end
if since ~= '' then call('ZADD', open, 'XX', since, id) end
if became == 'open' or became == 'ended' then
  if over ~= '' then call('ZADD', expiry, over, id) end
else
  call('ZREM', expiry, id)
  call('ZREM', tombs, id)
  if record.key and string.match(call('HGET', names, record.key) or '', '^%S+') == id then
    call('HDEL', names, record.key)
  end
  if became == 'forgotten' then call('ZADD', tombs, over, id) end
end
if became == 'gone' then
  call('HDEL', jobs, id)
elseif text then
  call('HSET', jobs, id, cjson.encode(record))
end
return 1`

// KEYS: one of the sorted sets. ARGV: now or '', age, how many. Answers the time, and each job with its own.
const older = `${clock}
local found = call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%d', now - ARGV[2]), 'LIMIT', 0, ARGV[3], 'WITHSCORES')
return {string.format('%d', now), unpack(found)}`

export const admissionScripts = { admit, settle, older } as const
