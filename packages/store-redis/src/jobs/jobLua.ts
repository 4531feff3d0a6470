/**
 * What the Lua scripts of a job have in common, and what they write.
 *
 * **Details** KEYS are those of one job:
 *
 * | key | type | |
 * |---|---|---|
 * | head | hash | what is known of the job; later, that it is forgotten |
 * | `:chunks` | hash | for each chunk its first operation and how many it has |
 * | `:states` | hash | for each chunk that was sent: state, epoch, starts, dispatch, and the dispatch by which it runs |
 * | `:payloads` | hash | operations of chunks that have not ended |
 * | `:results` | hash | results of those that have |
 * | `:silent` | sorted set | chunks that are due or running, by when they were heard of last |
 * | `:parts:<chunk>` | hash | by its place, each part that a chunk kept before it ended |
 *
 * States of a chunk: `W` waiting, and sent; `R` running; `S` ended, all of it succeeded; `F` ended, something did not; `H`
 * ended without having run, and its result is the reason. A chunk without a state was not sent yet, or will never run
 * where the job has a `code`: so stopping a job of thousands of chunks writes to the few that were sent.
 *
 * Keys expire by themselves some time after the job is over, so that nothing stays where nobody sweeps.
 */

/** Milliseconds after which an upload that got nothing new is dropped. */
export const uploadIdleMs = 3_600_000

/** The server's time, or the one given as first argument. */
export const clock = `local call = redis.call
local now = tonumber(ARGV[1])
if not now then
  local time = call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
`

export const prelude = `${clock}
local head, chunks, states, payloads, results, silent, parts = unpack(KEYS)
local state, code, expires = unpack(call('HMGET', head, 'state', 'code', 'expires'))
expires = tonumber(expires) or 0
local isKnown = state and state ~= 'forgotten' and expires > now
local isOpen = state == 'queued' or state == 'running'
local day = 86400000
local function number(field) return tonumber(call('HGET', head, field) or 0) end
local function expire(key, ms) call('PEXPIRE', key, string.format('%d', math.max(ms, 1))) end
local function stateOf(chunk)
  local letter, epoch, starts, dispatch, holder =
    string.match(call('HGET', states, chunk) or '', '^(%a) (%d+) (%d+) (%d+) (%d+)$')
  return letter, tonumber(epoch or 0), tonumber(starts or 0), tonumber(dispatch or 0), tonumber(holder or 0)
end
local function enter(chunk, letter, epoch, starts, dispatch, holder)
  call('HSET', states, chunk, string.format('%s %d %d %d %d', letter, epoch, starts, dispatch, holder or 0))
end
local function extentOf(chunk)
  local first, operations = string.match(call('HGET', chunks, chunk) or '', '^(%d+) (%d+)$')
  return tonumber(first), tonumber(operations)
end
local function touch()
  call('HSET', head, 'updated', string.format('%d', math.max(now, number('updated') + 1)))
end
local function record()
  return call('HMGET', head, 'tenant', 'endpoint', 'settings', 'state', 'total', 'chunks', 'cancelled',
    'created', 'updated', 'expires', 'succeeded', 'failed', 'skipped')
end
`

/** What ends chunks that have not begun, and jobs. */
export const endings = `
local function stop(reason)
  local refs = {}
  local begun = 0
  for _, chunk in ipairs(call('ZRANGE', silent, 0, -1)) do
    local letter, epoch, starts, dispatch = stateOf(chunk)
    if letter == 'W' and call('EXISTS', head .. ':parts:' .. chunk) == 1 then
      -- It has begun: only its next worker can put its results together.
      local first, operations = extentOf(chunk)
      begun = begun + operations
      if reason == 'CANCELLED' then call('ZADD', silent, 0, chunk) end
    elseif letter == 'W' then
      if code then
        enter(chunk, 'H', epoch, starts, dispatch)
        call('HSET', results, chunk, reason)
      else
        call('HDEL', states, chunk)
      end
      call('HDEL', payloads, chunk)
      call('ZREM', silent, chunk)
      refs[#refs + 1] = chunk
      refs[#refs + 1] = dispatch
    end
  end
  local total, ended, running = number('total'), number('ended'), number('running')
  call('HSET', head, 'code', code or reason, 'ended', total - running - begun)
  call('HINCRBY', head, 'skipped', total - running - begun - ended)
  code = code or reason
  return refs
end
local function finish(keep)
  if number('ended') < number('total') then return 0 end
  local isCancelled = call('HGET', head, 'cancelled')
  local succeeded, lost = number('succeeded'), number('failed') + number('skipped')
  local last = isCancelled and 'cancelled' or lost == 0 and 'succeeded' or succeeded == 0 and 'failed' or 'partial'
  call('HSET', head, 'state', last, 'expires', string.format('%d', now + keep))
  call('UNLINK', payloads)
  for place = 1, 6 do expire(KEYS[place], keep + day) end
  return 1
end
`
