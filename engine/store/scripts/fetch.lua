#!lua flags=allow-oom
-- fetch: leases waiting jobs of this worker's ready queues, as many as it has room for.
-- Guarantee: the same (worker, seq) answers the same jobs again, a lower seq nothing, so a lost reply loses no job and costs
-- no attempt. An id in a queue is a hint, the job's hash is the authority: jobs of runs that are not running are dropped.
-- Every queue looked at is armed again at the end, so a marker is passed on while work is left.
-- KEYS 1 prefix (string)
-- ARGV 1 worker (id) 2 seq (integer) 3 room (integer) 4 lease_ms (integer) 5 ttl_ms (integer: of the worker's keys)
-- Reads and writes: worker hash and queues, ready, queue wait/active/wake, job, run.
-- Returns: {'OK', now, job...}, a job being {id, queue, attempt, losses, path, event, message, flow, version} ·
--          {'REGISTER', now} the worker's keys are gone: send a heartbeat first · {'STALE', now} a lower seq than the last
--- include now arm
local worker, seq, room, lease_ms, ttl_ms = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local me = WORKER .. worker
local token = worker .. '.' .. ARGV[2]
local kept = redis.call('HMGET', me, 'seq', 'given')
local answer = { 'OK', now }

local function hand_out(job, h, attempt, run)
  answer[#answer + 1] = { job, h[2], attempt, h[3], h[4], h[5], h[6], run[2], run[3] }
end
local function run_of(job)
  return redis.call('HMGET', RUN .. string.match(job, '^[^/]+'), 'status', 'flow', 'version')
end

if redis.call('PEXPIRE', me .. ':queues:threads', ttl_ms) == 0 then return { 'REGISTER', now } end
redis.call('PEXPIRE', me, ttl_ms)
if kept[1] and tonumber(kept[1]) > seq then return { 'STALE', now } end
if kept[1] and tonumber(kept[1]) == seq then
  for job in string.gmatch(kept[2], '%S+') do
    local h = redis.call('HMGET', JOB .. job, 'token', 'queue', 'losses', 'path', 'event', 'message', 'attempt')
    if h[1] == token then hand_out(job, h, tonumber(h[7]), run_of(job)) end
  end
  return answer
end

local given, dead = {}, 0
local ready = redis.call('SINTER', READY, me .. ':queues:threads')
local offset = #ready > 0 and clock[2] % #ready or 0
for k = 1, #ready do
  local queue = ready[(k - 1 + offset) % #ready + 1]
  local share = math.min(room, math.ceil(room / (#ready - k + 1)))
  while share > 0 and dead < 200 do
    local job = redis.call('ZPOPMIN', QUEUE .. queue .. ':wait')[1]
    if not job then break end
    local h = redis.call('HMGET', JOB .. job, 'state', 'queue', 'losses', 'path', 'event', 'message')
    local run = h[1] == 'wait' and run_of(job)
    if run and run[1] == 'running' then
      local attempt = redis.call('HINCRBY', JOB .. job, 'attempt', 1)
      redis.call('HSET', JOB .. job, 'state', 'active', 'token', token, 'events', 0)
      redis.call('ZADD', QUEUE .. queue .. ':active', now + lease_ms, job)
      redis.call('HINCRBY', RUN .. string.match(job, '^[^/]+'), 'leased', 1)
      hand_out(job, h, attempt, run)
      given[#given + 1] = job
      share, room = share - 1, room - 1
    else
      if h[1] == 'wait' then redis.call('DEL', JOB .. job) end
      dead = dead + 1
    end
  end
  arm(queue)
end
redis.call('HSET', me, 'seq', seq, 'given', table.concat(given, ' '))
return answer
