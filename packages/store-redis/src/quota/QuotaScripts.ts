/**
 * The Lua scripts of the quota store. They follow the arithmetic of `Gcra` step by step. Each subject has one hash, whose
 * fields are policies and whose values are arrival times. `ARGV[1]` is the time in tests; an empty text selects the server's
 * clock.
 */

/** The Lua texts of the scripts. @internal */
export interface QuotaScripts {
  readonly charge: string
  readonly refund: string
  readonly peek: string
}

const preamble = `
local epsilon = 1e-6
local function clock()
  if ARGV[1] ~= '' then return tonumber(ARGV[1]) end
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local now = clock()
local function level(policy, limit, window)
  local arrival = tonumber(redis.call('HGET', KEYS[1], policy) or now)
  arrival = math.min(math.max(arrival, now), now + window)
  return arrival, (now + window - arrival) * limit / window
end
local function remaining(arrival, limit, window)
  return math.max(0, math.floor((now + window - arrival) * limit / window + epsilon))
end
local function reset(arrival)
  return math.max(0, math.ceil(arrival - now - epsilon))
end
`

/**
 * The scripts of the store. A charge returns `{granted, admitted, retry or -1, remaining, reset, violated, …}`. Its reply is
 * stored for a minute under the id of the charge, in `KEYS[2]`, for clients that send the charge again after a lost reply.
 *
 * @internal
 */
export const quotaScripts: QuotaScripts = {
  charge: `${preamble}
local known = redis.call('GET', KEYS[2])
if known then
  local again = {}
  for number in string.gmatch(known, '%S+') do again[#again + 1] = tonumber(number) end
  return again
end
local minimum, count = tonumber(ARGV[2]), tonumber(ARGV[3])
local at, demands, total, most = 4, {}, 0, math.huge
for i = 1, count do
  local d = { policy = ARGV[at], limit = tonumber(ARGV[at + 1]), window = tonumber(ARGV[at + 2]), base = tonumber(ARGV[at + 3]), runs = {}, n = 0 }
  local runs = tonumber(ARGV[at + 4])
  at = at + 5
  for r = 1, runs do
    d.runs[r] = { tonumber(ARGV[at]), tonumber(ARGV[at + 1]) }
    d.n = d.n + d.runs[r][1]
    at = at + 2
  end
  d.arrival, d.available = level(d.policy, d.limit, d.window)
  local room = d.available + epsilon - d.base
  if runs == 0 then d.fitting = room >= 0 and math.huge or -1
  else
    d.fitting = 0
    if room >= 0 then
      for r = 1, runs do
        local n, cost = d.runs[r][1], d.runs[r][2]
        local taken = cost == 0 and n or math.min(n, math.floor(room / cost))
        d.fitting = d.fitting + taken
        room = room - taken * cost
        if taken < n then break end
      end
    end
  end
  total = math.max(total, d.n)
  most = math.min(most, d.fitting)
  demands[i] = d
end
most = math.min(most, total)
local function cost(d, n)
  if n == 0 and #d.runs > 0 then return 0 end
  local left, sum = n, d.base
  for r = 1, #d.runs do
    local taken = math.min(left, d.runs[r][1])
    sum = sum + taken * d.runs[r][2]
    left = left - taken
  end
  return sum
end
local granted = most >= minimum and (most > 0 or total == 0)
local admitted = granted and most or 0
local wanted = granted and total or math.max(minimum, math.min(total, 1))
local retry, latest = 0, now
local reply = { granted and 1 or 0, admitted, 0 }
for i = 1, count do
  local d = demands[i]
  local price = cost(d, admitted)
  if not granted or admitted < total then
    local missing, available = cost(d, wanted), d.available
    if granted then missing, available = cost(d, admitted + 1) - price + d.base, d.available - price end
    if missing > d.limit then retry = -1
    elseif retry >= 0 then
      local short = missing - available
      if short > epsilon then retry = math.max(retry, 1, math.ceil(short * d.window / d.limit - epsilon)) end
    end
  end
  local arrival = d.arrival
  if granted then
    arrival = arrival + price * d.window / d.limit
    redis.call('HSET', KEYS[1], d.policy, string.format('%.17g', arrival))
    latest = math.max(latest, arrival)
  end
  reply[#reply + 1] = remaining(arrival, d.limit, d.window)
  reply[#reply + 1] = reset(arrival)
  reply[#reply + 1] = d.fitting < wanted and 1 or 0
end
reply[3] = retry
if granted then
  local left = redis.call('PTTL', KEYS[1])
  -- In tests the clock of ARGV[1] stands still while the server's clock runs.
  local life = math.ceil(latest - now) + (ARGV[1] ~= '' and 60000 or 0)
  redis.call('PEXPIRE', KEYS[1], math.max(left, 1, life))
  local texts = {}
  for i = 1, #reply do texts[i] = string.format('%.0f', reply[i]) end
  redis.call('SET', KEYS[2], table.concat(texts, ' '), 'PX', 60000)
end
return reply`,
  // The mark of a refund is stored for the longest window. After that the refunded amount has come back by itself.
  refund: `${preamble}
local longest, at = 1, 2
while ARGV[at] do
  longest = math.max(longest, tonumber(ARGV[at + 2]))
  at = at + 4
end
if not redis.call('SET', KEYS[2], '1', 'NX', 'PX', longest + 60000) then return 0 end
for at = 2, #ARGV, 4 do
  local policy, limit, window, amount = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  if redis.call('HEXISTS', KEYS[1], policy) == 1 then
    local arrival = level(policy, limit, window)
    redis.call('HSET', KEYS[1], policy, string.format('%.17g', math.max(now, arrival - amount * window / limit)))
  end
end
return 1`,
  peek: `${preamble}
local reply = {}
for at = 2, #ARGV, 3 do
  local arrival = level(ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]))
  reply[#reply + 1] = remaining(arrival, tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]))
  reply[#reply + 1] = reset(arrival)
end
return reply`,
}
