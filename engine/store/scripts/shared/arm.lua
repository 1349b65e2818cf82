-- arm: leaves a marker for a queue from which a job may start, so that a sleeping worker wakes; the last thing that a
-- script does for each queue that it touched. A queue is in `nq:ready` when it was eligible at the end of the last such script.

-- A job's place in its queue is priority * 2^42 + a sequence of the queue: first come, first served within a priority.
local BAND = 4398046511104

-- How many of `want` jobs may start now, and whether their number is limited.
local function allowance(queue, want)
  local name = QUEUE .. queue
  local count = math.min(want, redis.call('ZCARD', name .. ':wait'))
  local cap = redis.call('HGET', name .. ':conf', 'cap')
  if not cap then return count, false end
  return math.max(0, math.min(count, tonumber(cap) - redis.call('ZCARD', name .. ':active'))), true
end

local function arm(queue)
  if allowance(queue, 1) > 0 then
    redis.call('SADD', READY, queue)
    if redis.call('LLEN', QUEUE .. queue .. ':wake') == 0 then redis.call('RPUSH', QUEUE .. queue .. ':wake', '1') end
  else
    redis.call('SREM', READY, queue)
  end
end

-- What frees a place of a queue makes a difference only where its number is limited.
local function arm_limited(queue)
  if redis.call('HEXISTS', QUEUE .. queue .. ':conf', 'cap') == 1 then arm(queue) end
end
