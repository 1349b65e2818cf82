#!lua flags=allow-oom
-- fetch: leases waiting jobs of this worker's ready queues, as many as it has room for.
-- Guarantee: the same (worker, seq) answers the same jobs again, a lower seq nothing, so a lost reply loses no job and costs
-- no attempt. An id in a queue is a hint, the job's hash is the authority: jobs of runs that are not running are dropped.
-- Every queue looked at is armed again at the end, so a marker is passed on while work is left. Queues whose first job has a
-- lower priority number come first. Of a limited queue no more is given than there are free threads, or one.
-- KEYS 1 prefix (string)
-- ARGV 1 worker (id) 2 seq (integer) 3 threads (integer: room for jobs of threads) 4 loop (integer: room for jobs of the event
--      loop) 5 free (integer: threads that have nothing to do) 6 lease_ms (integer) 7 ttl_ms (integer: of the worker's keys)
-- Reads and writes: worker hash and queues, ready, queue wait/active/conf/wake, job, run.
-- Returns: {'OK', now, job...}, a job being {id, queue, attempt, losses, path, event, message, flow, version, limited} with
--          limited '1' or '' · {'REGISTER', now} the worker's keys are gone: send a heartbeat first ·
--          {'STALE', now} a lower seq than the last
--- include now arm
local worker, seq = ARGV[1], tonumber(ARGV[2])
local threads, loop, free = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local lease_ms, ttl_ms = tonumber(ARGV[6]), ARGV[7]
local me = WORKER .. worker
local token = worker .. '.' .. ARGV[2]
local kept = redis.call('HMGET', me, 'seq', 'given')
local answer = { 'OK', now }

local function hand_out(job, h, attempt, run, is_limited)
  answer[#answer + 1] = { job, h[2], attempt, h[3], h[4], h[5], h[6], run[2], run[3], is_limited and '1' or '' }
end
local function run_of(job)
  return redis.call('HMGET', RUN .. string.match(job, '^[^/]+'), 'status', 'flow', 'version')
end

if redis.call('PEXPIRE', me, ttl_ms) == 0 then return { 'REGISTER', now } end
redis.call('PEXPIRE', me .. ':queues:threads', ttl_ms)
redis.call('PEXPIRE', me .. ':queues:loop', ttl_ms)
if kept[1] and tonumber(kept[1]) > seq then return { 'STALE', now } end
if kept[1] and tonumber(kept[1]) == seq then
  for job in string.gmatch(kept[2], '%S+') do
    local h = redis.call('HMGET', JOB .. job, 'token', 'queue', 'losses', 'path', 'event', 'message', 'attempt')
    local run = h[1] == token and run_of(job)
    if run and run[1] then
      hand_out(job, h, tonumber(h[7]), run, redis.call('HEXISTS', QUEUE .. h[2] .. ':conf', 'cap') == 1)
    end
  end
  return answer
end

local given, dead = {}, 0

-- Leases one waiting job; false where its run is over or not there any more.
local function lease(job, is_limited)
  local h = redis.call('HMGET', JOB .. job, 'state', 'queue', 'losses', 'path', 'event', 'message')
  local run = h[1] == 'wait' and run_of(job)
  if not run or run[1] ~= 'running' then
    if h[1] == 'wait' then redis.call('DEL', JOB .. job) end
    return false
  end
  local attempt = redis.call('HINCRBY', JOB .. job, 'attempt', 1)
  redis.call('HSET', JOB .. job, 'state', 'active', 'token', token, 'events', 0)
  redis.call('ZADD', QUEUE .. h[2] .. ':active', now + lease_ms, job)
  redis.call('HINCRBY', RUN .. string.match(job, '^[^/]+'), 'leased', 1)
  hand_out(job, h, attempt, run, is_limited)
  given[#given + 1] = job
  return true
end

-- Takes up to `share` jobs of a queue; answers how many.
local function take(queue, share)
  local count, is_limited = allowance(queue, share)
  if is_limited then count = math.min(count, math.max(1, free)) end
  local taken = 0
  while taken < count and dead < 200 do
    local job = redis.call('ZPOPMIN', QUEUE .. queue .. ':wait')[1]
    if not job then break end
    if lease(job, is_limited) then taken = taken + 1 else dead = dead + 1 end
  end
  return taken
end

-- The ready queues of a class by the priority of their first job; where to begin among equals is left to chance.
local function by_priority(ready)
  local bands, offset = {}, #ready > 0 and clock[2] % #ready or 0
  for k = 1, #ready do
    local queue = ready[(k - 1 + offset) % #ready + 1]
    local first = redis.call('ZRANGE', QUEUE .. queue .. ':wait', 0, 0, 'WITHSCORES')[2]
    local band = first and math.floor(tonumber(first) / BAND) or 0
    bands[band] = bands[band] or {}
    table.insert(bands[band], queue)
  end
  return bands
end

local function serve(class, room)
  local ready = redis.call('SINTER', READY, me .. ':queues:' .. class)
  local bands = room > 0 and by_priority(ready) or {}
  for band = 0, 9 do
    local queues = bands[band] or {}
    for k, queue in ipairs(queues) do
      local taken = take(queue, math.ceil(room / (#queues - k + 1)))
      room, free = room - taken, free - taken
    end
  end
  for _, queue in ipairs(ready) do arm(queue) end
end

serve('threads', threads)
free = loop
serve('loop', loop)
redis.call('HSET', me, 'seq', seq, 'given', table.concat(given, ' '))
return answer
