/** The Lua scripts that read and cancel jobs, find silent chunks, and delete expired jobs. */
import { endings, prelude } from "./jobLua.ts"

// ARGV: now or ''. Returns false if there is no such job, else 'forgotten' and its tenant, or 'known' and its record.
const find = `${prelude}
if not state or state == 'uploading' then return false end
if not isKnown then return {'forgotten', call('HGET', head, 'tenant')} end
return {'known', record()}`

// ARGV: now or '', first chunk, limit, whether only chunks that did not succeed, bytes after which to stop, maximum number of
// chunks to look at.
// Returns the first chunk that was not looked at, number of chunks, and for each chunk: index, first operation, operations,
// text of the results or false, failure code or false.
const results = `${prelude}
local at, limit, onlyFailed, maxBytes, looks = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4] == '1', tonumber(ARGV[5]),
  tonumber(ARGV[6])
if not state or state == 'uploading' or state == 'forgotten' then return {at, 0, {}} end
local count, bytes, found = number('chunks'), 0, {}
while at < count and #found < limit and bytes < maxBytes and looks > 0 do
  local letter = stateOf(at)
  if letter == 'W' or letter == 'R' or (not letter and not code) then break end
  if not onlyFailed or letter ~= 'S' then
    local first, operations = extentOf(at)
    local text = letter and call('HGET', results, at) or code
    local isCode = not letter or letter == 'H'
    bytes = bytes + #text
    found[#found + 1] = {at, first, operations, not isCode and text, isCode and text}
  end
  at = at + 1
  looks = looks - 1
end
return {at, count, found}`

// ARGV: now or '', time to keep the job.
// Returns false if there is no such job, else whether it has ended now, when it expires, number of ended operations, time of
// the oldest last sign of life or '', chunk and dispatch of each chunk that will not run.
const cancel = `${prelude}${endings}
if not state or state == 'forgotten' or state == 'uploading' then return false end
if not isOpen then return {0, '', '', ''} end
call('HSET', head, 'cancelled', 1)
touch()
local refs = stop('CANCELLED')
local hasEnded = endIfComplete(ARGV[2])
return {hasEnded, string.format('%d', now + ARGV[2]), number('ended'), call('ZRANGE', silent, 0, 0, 'WITHSCORES')[2] or '',
  unpack(refs)}`

// Returns whether the job is cancelled, or does not exist.
const isCancelled = `${prelude}
if not state or state == 'forgotten' then return 1 end
return call('HEXISTS', head, 'cancelled')`

// ARGV: now or '', time of silence, limit.
// Returns 'gone', or 'uploading', or 'ended' and when it expires, or 'open', time of the oldest last sign of life, number of
// ended operations, chunk and dispatch of each ref to send again.
const overdue = `${prelude}
if not state or state == 'forgotten' then return {'gone'} end
if state == 'uploading' then return {state} end
if not isOpen then return {'ended', string.format('%d', expires)} end
local refs = {}
local found = call('ZRANGEBYSCORE', silent, '-inf', string.format('%d', now - ARGV[2]), 'WITHSCORES')
for position = 1, #found, 2 do
  local chunk, aliveAt = found[position], tonumber(found[position + 1])
  local letter, epoch, starts, dispatch = stateOf(chunk)
  local factor = letter == 'R' and 1 or 2 ^ math.min(dispatch, 4)
  if #refs < 2 * ARGV[3] and aliveAt <= now - ARGV[2] * factor then
    setState(chunk, letter, epoch, starts, dispatch + 1, dispatch + 1)
    call('ZADD', silent, string.format('%d', now), chunk)
    refs[#refs + 1] = chunk
    refs[#refs + 1] = dispatch + 1
  end
end
return {'open', call('ZRANGE', silent, 0, 0, 'WITHSCORES')[2] or string.format('%d', now), number('ended'),
  unpack(refs)}`

// ARGV: now or ''. Returns the chunk that is due for the longest time and waits, or false.
const firstDue = `${prelude}
if not isOpen or not isKnown then return false end
for _, chunk in ipairs(call('ZRANGEBYSCORE', silent, '-inf', string.format('%d', now))) do
  if stateOf(chunk) == 'W' then return tonumber(chunk) end
end
return false`

// ARGV: now or '', time to keep the tombstone.
// Returns 'gone', or 'forgotten' and when the tombstone expires, or 'ended' or 'open' and when the job expires.
const forget = `${prelude}
if isKnown then return {isOpen and 'open' or 'ended', string.format('%d', expires)} end
if state == 'forgotten' then
  local expiry = number('until')
  if expiry > now then return {state, string.format('%d', expiry)} end
end
local tenant = call('HGET', head, 'tenant')
for _, chunk in ipairs(call('ZRANGE', silent, 0, -1)) do call('UNLINK', head .. ':parts:' .. chunk) end
call('UNLINK', unpack(KEYS))
if not state or state == 'forgotten' or state == 'uploading' then return {'gone'} end
local expiry = string.format('%d', now + ARGV[2])
call('HSET', head, 'state', 'forgotten', 'until', expiry)
if tenant then call('HSET', head, 'tenant', tenant) end
expire(head, tonumber(ARGV[2]))
return {'forgotten', expiry}`

export const jobCareScripts = { find, results, cancel, isCancelled, overdue, firstDue, forget } as const
