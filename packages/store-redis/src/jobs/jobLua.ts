/**
 * The keys of one job, and the Lua that its scripts share.
 *
 * **Details** KEYS of a script on a job:
 *
 * | key | type | content |
 * |---|---|---|
 * | head | hash | the job; after it has expired, its tombstone |
 * | `:chunks` | hash | for each chunk: index of its first operation, and number of operations |
 * | `:states` | hash | for each chunk that was sent: state, epoch, starts, dispatch, and the dispatch that holds it |
 * | `:payloads` | hash | payloads of chunks that have not ended |
 * | `:results` | hash | results of chunks that have |
 * | `:silent` | sorted set | chunks that are due or running, by the time of their last sign of life |
 * | `:parts:<chunk>` | hash | parts of a chunk, by their position |
 *
 * States of a chunk: `W` waiting, and sent; `R` running; `S` ended, every operation succeeded; `F` ended, some did not; `H` ended
 * without having run, and its result is the failure code. A chunk without a state was not sent. If the job has a `code`, it
 * will never run. So a job of thousands of chunks can be stopped by writing to the few that were sent.
 *
 * All keys expire some time after the job, so that nothing is left if nobody sweeps.
 */

/** Time after which an upload without new chunks expires, in milliseconds. */
export const uploadIdleMs = 3_600_000

/** Declares `call`, and `now`: the first argument, or the server's time if it is empty. */
export const clock = `local call = redis.call
local now = tonumber(ARGV[1])
if not now then
  local time = call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
`

/** Reads the state of the job, and declares the functions of all scripts. */
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
local function setState(chunk, letter, epoch, starts, dispatch, holder)
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
  local fields = call('HMGET', head, 'tenant', 'endpoint', 'settings', 'state', 'total', 'chunks', 'cancelled',
    'created', 'updated', 'expires', 'succeeded', 'failed', 'skipped')
  local waits = number('waits')
  fields[#fields + 1] = waits > now and number('running') == 0 and string.format('%d', waits) or false
  return fields
end
`

/** Declares the functions that end chunks which have not started, and the job. */
export const endings = `
local function stop(reason)
  local refs = {}
  local startedOperations = 0
  for _, chunk in ipairs(call('ZRANGE', silent, 0, -1)) do
    local letter, epoch, starts, dispatch = stateOf(chunk)
    if letter == 'W' and call('EXISTS', head .. ':parts:' .. chunk) == 1 then
      -- It has started: only its next worker can complete its results.
      local first, operations = extentOf(chunk)
      startedOperations = startedOperations + operations
      if reason == 'CANCELLED' then call('ZADD', silent, 0, chunk) end
    elseif letter == 'W' then
      if code then
        setState(chunk, 'H', epoch, starts, dispatch)
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
  call('HSET', head, 'code', code or reason, 'ended', total - running - startedOperations)
  call('HINCRBY', head, 'skipped', total - running - startedOperations - ended)
  code = code or reason
  return refs
end
local function endIfComplete(keepMs)
  if number('ended') < number('total') then return 0 end
  local isCancelled = call('HGET', head, 'cancelled')
  local succeeded, unsuccessful = number('succeeded'), number('failed') + number('skipped')
  local final = isCancelled and 'cancelled' or unsuccessful == 0 and 'succeeded' or succeeded == 0 and 'failed' or 'partial'
  call('HSET', head, 'state', final, 'expires', string.format('%d', now + keepMs))
  call('UNLINK', payloads)
  for position = 1, 6 do expire(KEYS[position], keepMs + day) end
  return 1
end
`
