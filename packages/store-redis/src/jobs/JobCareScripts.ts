/** The Lua scripts that look at jobs, stop them, find what became silent and forget what is over. */
import { endings, prelude } from "./jobLua.ts"

// ARGV: now or ''. Answers nothing where nothing is known, the tenant and that it is forgotten, or the record.
const find = `${prelude}
if not state or state == 'uploading' then return false end
if not isKnown then return {'forgotten', call('HGET', head, 'tenant')} end
return {'known', record()}`

// ARGV: now or '', first chunk, how many, whether only failed ones, bytes after which to stop, chunks after which to stop.
// Answers the chunk after those that were looked at, how many there are, and index, first operation, operations, results
// or false and code or false of each.
const results = `${prelude}
local at, limit, onlyFailed, most, looks = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4] == '1', tonumber(ARGV[5]),
  tonumber(ARGV[6])
if not state or state == 'uploading' or state == 'forgotten' then return {at, 0, {}} end
local count, bytes, found = number('chunks'), 0, {}
while at < count and #found < limit and bytes < most and looks > 0 do
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

// ARGV: now or '', for how long to keep. Answers nothing where there is no such job, else whether this ended it, when it is
// over, how many of its operations have ended, when the most silent of its chunks was heard of, and chunk and dispatch of
// those that will not run.
const cancel = `${prelude}${endings}
if not state or state == 'forgotten' or state == 'uploading' then return false end
if not isOpen then return {0, '', '', ''} end
call('HSET', head, 'cancelled', 1)
touch()
local refs = stop('CANCELLED')
local hasEnded = finish(ARGV[2])
return {hasEnded, string.format('%d', now + ARGV[2]), number('ended'), call('ZRANGE', silent, 0, 0, 'WITHSCORES')[2] or '',
  unpack(refs)}`

// Answers whether the job is to stop, or gone.
const stops = `${prelude}
if not state or state == 'forgotten' then return 1 end
return call('HEXISTS', head, 'cancelled')`

// ARGV: now or '', for how long nothing was heard, how many at most. Answers what the job is: `gone`; `uploading`;
// `ended` and when it is over; `open`, when the most silent of its chunks was heard of, how many operations have ended, and
// chunk and dispatch of those that are to be sent.
const renew = `${prelude}
if not state or state == 'forgotten' then return {'gone'} end
if state == 'uploading' then return {state} end
if not isOpen then return {'ended', string.format('%d', expires)} end
local refs = {}
local found = call('ZRANGEBYSCORE', silent, '-inf', string.format('%d', now - ARGV[2]), 'WITHSCORES')
for place = 1, #found, 2 do
  local chunk, heard = found[place], tonumber(found[place + 1])
  local letter, epoch, starts, dispatch = stateOf(chunk)
  local patience = letter == 'R' and 1 or 2 ^ math.min(dispatch, 4)
  if #refs < 2 * ARGV[3] and heard <= now - ARGV[2] * patience then
    enter(chunk, letter, epoch, starts, dispatch + 1, dispatch + 1)
    call('ZADD', silent, string.format('%d', now), chunk)
    refs[#refs + 1] = chunk
    refs[#refs + 1] = dispatch + 1
  end
end
return {'open', call('ZRANGE', silent, 0, 0, 'WITHSCORES')[2] or string.format('%d', now), number('ended'),
  unpack(refs)}`

// ARGV: now or '', for how long to keep that it was there. Answers what the job is: `gone`; `forgotten` and until when that
// is kept; `ended` or `open` and when it is over.
const forget = `${prelude}
if isKnown then return {isOpen and 'open' or 'ended', string.format('%d', expires)} end
if state == 'forgotten' then
  local over = number('until')
  if over > now then return {state, string.format('%d', over)} end
end
local tenant = call('HGET', head, 'tenant')
for _, chunk in ipairs(call('ZRANGE', silent, 0, -1)) do call('UNLINK', head .. ':parts:' .. chunk) end
call('UNLINK', unpack(KEYS))
if not state or state == 'forgotten' or state == 'uploading' then return {'gone'} end
local over = string.format('%d', now + ARGV[2])
call('HSET', head, 'state', 'forgotten', 'until', over)
if tenant then call('HSET', head, 'tenant', tenant) end
expire(head, tonumber(ARGV[2]))
return {'forgotten', over}`

export const jobCareScripts = { find, results, cancel, stops, renew, forget } as const
