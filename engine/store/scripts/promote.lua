#!lua flags=allow-oom
-- promote: moves what has fallen due, and leaves the markers that a dead process took with it.
-- Guarantee: by state; calling it twice changes nothing more.
-- KEYS 1 prefix (string)
-- ARGV 1 limit (integer: jobs a queue and call)
-- Reads and writes: timers, queue delayed/wait/active/conf/wake, job, run, ready, unfolding, stage.
-- Returns: {ms until the next thing is due, or -1, unfolding...}: some of the wide fan-outs that are being laid out, each as
--          {job, flow, version, cursor}
--- include now arm
local limit = tonumber(ARGV[1])
for _, timer in ipairs(redis.call('ZRANGEBYSCORE', TIMERS, '-inf', now, 'LIMIT', 0, 100)) do
  local queue = string.sub(timer, 3)
  local delayed = QUEUE .. queue .. ':delayed'
  for _, job in ipairs(redis.call('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', 0, limit)) do
    local kept = redis.call('HMGET', JOB .. job, 'state', 'score')
    redis.call('ZREM', delayed, job)
    if kept[1] == 'delayed' then
      redis.call('HSET', JOB .. job, 'state', 'wait')
      redis.call('ZADD', QUEUE .. queue .. ':wait', kept[2], job)
    end
  end
  local first = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
  if first[2] then redis.call('ZADD', TIMERS, first[2], timer) else redis.call('ZREM', TIMERS, timer) end
  arm(queue)
end
for _, queue in ipairs(redis.call('SMEMBERS', READY)) do arm(queue) end
local first = redis.call('ZRANGE', TIMERS, 0, 0, 'WITHSCORES')
local answer = { first[2] and math.max(0, math.ceil(first[2] - now)) or -1 }
for _, job in ipairs(redis.call('SRANDMEMBER', UNFOLDING, 10)) do
  local run, step_id = string.match(job, '^([^/]+)/(.+)$')
  local of = redis.call('HMGET', RUN .. run, 'flow', 'version', 'u:' .. step_id)
  if of[3] then
    answer[#answer + 1] = { job, of[1], of[2], tonumber(string.match(of[3], '^%d+')) }
  else
    redis.call('SREM', UNFOLDING, job)
    redis.call('UNLINK', STAGE .. job)
  end
end
return answer
