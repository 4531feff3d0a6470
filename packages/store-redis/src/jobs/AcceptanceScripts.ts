/**
 * The keys that span jobs, and their Lua scripts.
 *
 * **Details** KEYS, all in one slot:
 *
 * | key | type | content |
 * |---|---|---|
 * | `counts` | hash | `q`: number of unfinished operations; `t<tenant>`, or `n` without a tenant: number of unfinished jobs |
 * | `jobs` | hash | for each reserved job: operations, unfinished operations, tenant, key, whether it counts against limits |
 * | `open` | sorted set | jobs that count, by a time since which none of their chunks was silent |
 * | `expiry` | sorted set | jobs and uploads, by the time they expire |
 * | `tombs` | sorted set | forgotten jobs, by the time their tombstones expire |
 * | `names` | hash | for each key: id and fingerprint of its job |
 */
import { clock } from "./jobLua.ts"

const prelude = `${clock}
local counts, jobs, open, expiry, tombs, names = unpack(KEYS)
local id = ARGV[2]
`

// ARGV: now or '', id, operations, `t<tenant>` or '', key or '', fingerprint, limit of operations, limit of jobs or '', life.
// Returns 'known', or 'exists', id and whether it has the same fingerprint, or 'full' and number of unfinished operations, or
// 'tenant-full', or 'reserved'.
const reserve = `${prelude}
local total, key, fingerprint, maxOperations, maxJobs = tonumber(ARGV[3]), ARGV[5], ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8])
local tenant = ARGV[4] == '' and 'n' or ARGV[4]
if call('HEXISTS', jobs, id) == 1 then return {'known'} end
local other, otherFingerprint = string.match(call('HGET', names, key) or '', '^(%S+) (%S+)$')
if key ~= '' and other then return {'exists', other, otherFingerprint == fingerprint and 1 or 0} end
local queued = tonumber(call('HGET', counts, 'q') or 0)
if queued + total > maxOperations then return {'full', queued} end
if maxJobs and tonumber(call('HGET', counts, tenant) or 0) >= maxJobs then return {'tenant-full'} end
call('HINCRBY', counts, 'q', total)
call('HINCRBY', counts, tenant, 1)
if key ~= '' then call('HSET', names, key, id .. ' ' .. fingerprint) end
call('HSET', jobs, id, cjson.encode({left = total, total = total, tenant = tenant, key = key, counts = true}))
call('ZADD', open, string.format('%d', now), id)
call('ZADD', expiry, string.format('%d', now + ARGV[9]), id)
return {'reserved'}`

// ARGV: now or '', id, state, when that expires or '', number of ended operations or '', a time since which none of its chunks
// was silent or ''. The state is 'open'; 'ended', it does not count; 'forgotten', its key is free; or 'gone', nothing is left.
const track = `${prelude}
local state, expires, ended, since = ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6]
local text = call('HGET', jobs, id)
local record = text and cjson.decode(text) or {}
if record.counts then
  local left = state ~= 'open' and 0 or math.min(record.left, record.total - (ended or 0))
  call('HINCRBY', counts, 'q', left - record.left)
  record.left = left
  if state ~= 'open' then
    record.counts = false
    if call('HINCRBY', counts, record.tenant, -1) == 0 then call('HDEL', counts, record.tenant) end
  end
end
if state ~= 'open' then call('ZREM', open, id) end
if since ~= '' then call('ZADD', open, 'XX', since, id) end
if state == 'open' or state == 'ended' then
  if expires ~= '' then call('ZADD', expiry, expires, id) end
else
  call('ZREM', expiry, id)
  call('ZREM', tombs, id)
  if record.key and string.match(call('HGET', names, record.key) or '', '^%S+') == id then
    call('HDEL', names, record.key)
  end
  if state == 'forgotten' then call('ZADD', tombs, expires, id) end
end
if state == 'gone' then
  call('HDEL', jobs, id)
elseif text then
  call('HSET', jobs, id, cjson.encode(record))
end
return 1`

// KEYS: one of the sorted sets. ARGV: now or '', minimum age, limit. Returns the time, and id and time of each job.
const older = `${clock}
local found = call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%d', now - ARGV[2]), 'LIMIT', 0, ARGV[3], 'WITHSCORES')
return {string.format('%d', now), unpack(found)}`

// ARGV: '', limit. Returns the open jobs, the oldest first: id, and `t<tenant>` or `n`, of each.
const openJobs = `${prelude}
local answer = {}
for _, id in ipairs(call('ZRANGE', open, 0, ARGV[2] - 1)) do
  local text = call('HGET', jobs, id)
  if text then
    answer[#answer + 1] = id
    answer[#answer + 1] = cjson.decode(text).tenant
  end
end
return answer`

export const acceptanceScripts = { reserve, track, older, openJobs } as const
