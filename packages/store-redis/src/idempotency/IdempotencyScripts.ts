/**
 * The Lua scripts of the idempotency store, and the format of its records.
 *
 * **Details** A record is one string: a head of 110 characters, followed by the journal or the result.
 *
 * | characters | |
 * |---|---|
 * | 1 | state: `P` pending, `H` held, `D` done, `R` released |
 * | 2–9 | fence |
 * | 10–31 | owner; dots if the record has no owner any more |
 * | 32–74 | fingerprint |
 * | 75–87 | milliseconds between the end of the lease and the expiry of the record |
 * | 88–100 | zeros |
 * | 101–110 | length of the journal in UTF-16 code units; Lua counts bytes |
 *
 * With a clock of its own, such as in a test, a client stores the end of the lease and the expiry of the record in the two
 * time fields, in milliseconds since 1970. A damaged record does not free its key; it counts as a use with another
 * fingerprint.
 *
 * Scripts spend most of their time on strings. Therefore the client sends complete records with the fence 1, which is almost
 * always correct.
 */

/** The Lua texts of the scripts. */
export interface IdempotencyScripts {
  readonly acquire: string
  readonly settle: string
  readonly peek: string
  readonly resolve: string
}

const clock = `local now = tonumber(ARGV[1])
local sub, call = string.sub, redis.call
local nothing = '0000000000'
local function isOver(record)
  local over = now and #record >= 110 and tonumber(sub(record, 88, 100)) or 0
  return over > 0 and over <= now
end
local function time()
  local parts = redis.call('TIME')
  return parts[1] * 1000 + math.floor(parts[2] / 1000)
end
local function leaseLeft(key, record)
  local lease = tonumber(sub(record, 75, 87))
  if tonumber(sub(record, 88, 100)) > 0 then return lease - (now or time()) end
  local left = redis.call('PTTL', key)
  -- The key has no expiry any more, so the time of its claim is unknown.
  return left < 0 and 1000 or left - lease
end
`

/** The results of `acquire`, by number. */
export const acquired = ["fresh", "taken-over", "mine", "replay", "in-progress", "mismatch", "indeterminate"] as const

// ARGV: now or '', owner, pending TTL, times of a claim; then the record for each key.
// Returns {position, number in acquired, fence or time left, text} for every key that is not fresh with the fence 1.
const acquire = `${clock}
local owner, ttl, times = ARGV[2], ARGV[3], ARGV[4]
local out = {}
local function answer(...) out[#out + 1] = {...} end
local key, claimed
local function claim(fence, units, journal)
  local record = sub(claimed, 1, 1) .. string.format('%08d', fence) .. sub(claimed, 10, 100) .. units .. journal
  redis.call('SET', key, record, 'PX', ttl)
end
for i = 1, #KEYS do
  key, claimed = KEYS[i], ARGV[4 + i]
  if not call('SET', key, claimed, 'PX', ttl, 'NX') then
    local record = redis.call('GET', key)
    local state, fence = sub(record, 1, 1), tonumber(sub(record, 2, 9))
    if #record < 110 or not tonumber(sub(record, 75, 100)) then
      answer(i, 5)
    elseif isOver(record) then
      claim(1, nothing, '')
    elseif state == 'R' then
      claim(fence + 1, nothing, '')
      answer(i, 0, fence + 1)
    elseif sub(record, 32, 74) ~= sub(claimed, 32, 74) then
      answer(i, 5)
    elseif state == 'D' then
      answer(i, 3, 0, sub(record, 111))
    elseif sub(record, 10, 31) == owner then
      redis.call('SETRANGE', key, 74, times)
      redis.call('PEXPIRE', key, ttl)
      answer(i, 2, fence, sub(record, 111))
    else
      local left = leaseLeft(key, record)
      if left > 0 then
        answer(i, 4, left)
      elseif state == 'H' then
        answer(i, 6)
      else
        claim(fence + 1, sub(record, 101, 110), sub(record, 111))
        answer(i, 1, fence + 1, sub(record, 111))
      end
    end
  end
end
return out`

/** The results of `settle`, by number. */
export const settled = ["applied", "already", "recreated", "refused"] as const

// ARGV: now or '', owner, pending TTL, result TTL, times of a claim; the actions as one text with a character per key; then a
// text for each key.
// Actions: C complete, whose text is the record; R release; E extend; A append, whose text is
// <position>:<length in code units>:<chunk>.
// Returns {position, number in settled} for every key whose result is not "applied".
const settle = `${clock}
local owner, ttl, resultTtl, times, todos = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local function append(key, units, told)
  local at, length, text = string.match(told, '^(%d+):(%d+):(.*)$')
  local done = at + length
  if tonumber(units) == done and (text == '' or redis.call('GETRANGE', key, -#text, -1) == text) then
    return 1, units
  end
  if tonumber(units) ~= tonumber(at) then return 3, units end
  redis.call('APPEND', key, text)
  return 0, string.format('%010d', done)
end
local function apply(key, todo, head, told)
  if todo == 'C' then
    local claimed = sub(head, 2, 74)
    if sub(told, 2, 74) ~= claimed then told = 'D' .. claimed .. sub(told, 75) end
    call('SET', key, told, 'PX', resultTtl)
    return 0
  elseif todo == 'R' then
    redis.call('SET', key, 'R' .. sub(head, 2, 74) .. times .. nothing, 'PX', ttl)
    return 0
  end
  local answer, units = 0, sub(head, 101, 110)
  if todo ~= 'E' then answer, units = append(key, units, told) end
  if answer ~= 3 then
    redis.call('SETRANGE', key, 74, times .. units)
    redis.call('PEXPIRE', key, ttl)
  end
  return answer
end
local function settle(key, todo, head, told)
  local state = sub(head, 1, 1)
  if head == '' or isOver(head) then
    if todo == 'C' then
      redis.call('SET', key, told, 'PX', resultTtl)
      return 2
    end
    return todo == 'R' and 1 or 3
  elseif sub(head, 10, 31) ~= owner then
    return 3
  elseif state == 'D' then
    return todo == 'C' and 1 or 3
  elseif state == 'R' then
    return todo == 'R' and 1 or 3
  end
  return apply(key, todo, head, told)
end
-- A single record may be long, so only its head is read. Many records are read in one call.
local records = #KEYS > 1 and call('MGET', unpack(KEYS)) or {call('GETRANGE', KEYS[1], 0, 109)}
local out = {}
for i = 1, #KEYS do
  local answer = settle(KEYS[i], sub(todos, i, i), records[i] or '', ARGV[6 + i])
  if answer > 0 then out[#out + 1] = {i, answer} end
end
return out`

// ARGV: now or ''. Returns {state, fence, time left of the lease}, or nothing.
const peek = `${clock}
local head = redis.call('GETRANGE', KEYS[1], 0, 109)
if head == '' or isOver(head) then return false end
return {sub(head, 1, 1), tonumber(sub(head, 2, 9)), leaseLeft(KEYS[1], head)}`

// ARGV: now or '', result TTL or '' to forget, times of a result, result. Returns 1 if the record was indeterminate, else 0.
const resolve = `${clock}
local ttl, times, result = ARGV[2], ARGV[3], ARGV[4]
local head = redis.call('GETRANGE', KEYS[1], 0, 109)
if sub(head, 1, 1) ~= 'H' or isOver(head) or leaseLeft(KEYS[1], head) > 0 then return 0 end
local nobodys = sub(head, 2, 9) .. string.rep('.', 22) .. sub(head, 32, 74)
if ttl == '' then
  redis.call('SET', KEYS[1], 'R' .. nobodys .. sub(head, 75, 100) .. nothing, 'KEEPTTL')
else
  redis.call('SET', KEYS[1], 'D' .. nobodys .. times .. nothing .. result, 'PX', ttl)
end
return 1`

/** The scripts of the store. */
export const idempotencyScripts: IdempotencyScripts = { acquire, settle, peek, resolve }
