#!lua flags=allow-oom
-- sweep: takes back the jobs whose lease is over.
-- Guarantee: one sweep a fleet and interval; after an outage, or when the clock stepped back, nothing expires for one lease,
-- so that workers can renew first; no deadline stays more than two leases ahead. A job that was lost too often is leased to
-- the caller, which settles it as failed.
-- KEYS 1 prefix (string)
-- ARGV 1 lease_ms (integer) 2 limit (integer: leases a call) 3 max_losses (integer) 4 token (string: of the caller's leases)
-- Reads and writes: sweep, queues, queue active/wait/wake, ready, job, run, flow (log), runs, events, channel.
-- Returns: {'TOO-SOON'} · {'GRACE'} nothing may expire yet · {'SWEPT', lost, job...} number of leases lost, and the exhausted
--          jobs as `fetch` answers them
--- include now append arm finish
local lease_ms, limit, max_losses, token = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local kept = redis.call('HMGET', SWEEP, 'last', 'grace')
local last, grace = tonumber(kept[1] or 0), tonumber(kept[2] or 0)
if last > 0 and now >= last and now - last < lease_ms / 30 then return { 'TOO-SOON' } end
if last > 0 and (now < last or now - last > lease_ms / 2) then grace = now + lease_ms end
grace = math.min(grace, now + lease_ms)
redis.call('HSET', SWEEP, 'last', now, 'grace', grace)

local taken = 0

-- Puts one job back; answers it when it is to be failed by the caller.
local function take_back(queue, job)
  local active = QUEUE .. queue .. ':active'
  local h = redis.call('HMGET', JOB .. job, 'state', 'losses', 'path', 'event', 'message', 'token', 'attempt', 'score')
  local run, step_id = string.match(job, '^([^/]+)/(.+)$')
  local of = redis.call('HMGET', RUN .. run, 'status', 'flow', 'version')
  -- A log that is no stream holds up this job alone, until somebody has mended it.
  local log = redis.pcall('XLEN', LOG .. run)
  if type(log) == 'table' and log.err then return nil end
  taken = taken + 1
  redis.call('ZREM', active, job)
  if h[1] ~= 'active' then return nil end
  if of[1] ~= 'running' and of[1] ~= 'failing' then
    redis.call('DEL', JOB .. job)
    return nil
  end
  local losses = tonumber(h[2]) + 1
  local worker = string.match(h[6], '^(.*)%.')
  append('step.lost', run, of[2], string.match(step_id, '^(.*)#'), step_id, h[7], now,
    '{"worker":"' .. worker .. '","losses":' .. losses .. '}', '')
  redis.call('HDEL', RUN .. run, 'c:' .. h[6])
  if of[1] == 'failing' then
    redis.call('DEL', JOB .. job)
    fail_if_idle(run, of[2], redis.call('HINCRBY', RUN .. run, 'leased', -1))
    return nil
  end
  if losses >= max_losses then
    redis.call('HSET', JOB .. job, 'token', token, 'losses', losses, 'events', 0)
    redis.call('ZADD', active, now + lease_ms, job)
    return { job, queue, tonumber(h[7]), losses, h[3], h[4], h[5], of[2], of[3], '' }
  end
  redis.call('HSET', JOB .. job, 'state', 'wait', 'token', '', 'losses', losses)
  redis.call('HINCRBY', RUN .. run, 'leased', -1)
  redis.call('ZADD', QUEUE .. queue .. ':wait', h[8], job)
  return nil
end

local seen, exhausted = 0, {}
for _, queue in ipairs(redis.call('SMEMBERS', QUEUES)) do
  local active = QUEUE .. queue .. ':active'
  for _, job in ipairs(redis.call('ZRANGEBYSCORE', active, now + 2 * lease_ms, '+inf', 'LIMIT', 0, limit)) do
    redis.call('ZADD', active, now + lease_ms, job)
  end
  if now >= grace and seen < limit then
    local over = redis.call('ZRANGEBYSCORE', active, '-inf', now, 'LIMIT', 0, limit - seen)
    for _, job in ipairs(over) do exhausted[#exhausted + 1] = take_back(queue, job) end
    seen = seen + #over
    if #over > 0 then arm(queue) end
  end
end
if now < grace then return { 'GRACE' } end
return { 'SWEPT', taken, unpack(exhausted) }
