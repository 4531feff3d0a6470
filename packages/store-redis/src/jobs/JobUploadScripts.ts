/** The Lua scripts that take the chunks of a job, and queue it. */
import { prelude, uploadIdleMs } from "./jobLua.ts"

// ARGV: now or ''; endpoint, settings, key or '', life and `t<tenant>` or '' of a new job, or only ''; index, first operation,
// operations and payload of a chunk, or nothing.
// Returns 0 if there is no such upload, else when it expires.
const put = `${prelude}
local at = 3
if ARGV[2] ~= '' then
  at = 7
  if not state then
    state, expires, isKnown = 'uploading', now + ARGV[5], true
    call('HSET', head, 'state', state, 'endpoint', ARGV[2], 'settings', ARGV[3], 'key', ARGV[4], 'life', ARGV[5],
      'created', string.format('%d', now), 'updated', string.format('%d', now), 'expires', string.format('%d', expires))
    if ARGV[6] ~= '' then call('HSET', head, 'tenant', string.sub(ARGV[6], 2)) end
  end
end
if not isKnown or state ~= 'uploading' then return 0 end
if ARGV[at] and call('HSETNX', chunks, ARGV[at], ARGV[at + 1] .. ' ' .. ARGV[at + 2]) == 1 then
  call('HSET', payloads, ARGV[at], ARGV[at + 3])
  call('HINCRBY', head, 'taken', ARGV[at + 2])
end
for _, key in ipairs({head, chunks, payloads}) do expire(key, math.min(expires - now, ${uploadIdleMs})) end
return string.format('%d', expires)`

const gone = `local isGone = not state or state == 'forgotten' or (state == 'uploading' and not isKnown)`

// ARGV: now or '', operations, chunks, window, fingerprint.
// Returns false if there is no such job, else chunk and dispatch of each ref that is due.
const accept = `${prelude}${gone}
if isGone then return false end
local due = {}
local count = tonumber(ARGV[3])
local first = math.min(count, tonumber(ARGV[4]))
if state ~= 'uploading' then
  for chunk = 0, first - 1 do
    local letter, epoch, starts, dispatch = stateOf(chunk)
    if letter == 'W' then
      due[#due + 1] = tostring(chunk)
      due[#due + 1] = dispatch
    end
  end
  return due
end
if call('HLEN', chunks) ~= count or number('taken') ~= tonumber(ARGV[2]) then
  return redis.error_reply('ERR The chunks and operations of the job do not match its extent')
end
call('HSET', head, 'state', 'queued', 'total', ARGV[2], 'chunks', count, 'fingerprint', ARGV[5], 'next', first)
touch()
for chunk = 0, first - 1 do
  setState(chunk, 'W', 0, 0, 0)
  call('ZADD', silent, string.format('%d', now), chunk)
  due[#due + 1] = tostring(chunk)
  due[#due + 1] = 0
end
for position = 1, 6 do expire(KEYS[position], expires - now + day) end
return due`

// ARGV: now or ''. Returns false if there is no such job, else its tenant, key and life.
const applicant = `${prelude}${gone}
if isGone then return false end
return call('HMGET', head, 'tenant', 'key', 'life')`

// Drops an upload. Returns 0 if the job was accepted.
const discard = `${prelude}
if state and state ~= 'uploading' then return 0 end
call('UNLINK', head, chunks, payloads)
return 1`

export const jobUploadScripts = { put, applicant, accept, discard } as const
