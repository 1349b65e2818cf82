-- arm: leaves a marker for a queue in which something waits, so that a sleeping worker wakes; the last thing that a
-- script does for each queue that it touched. A queue is in `nq:ready` when it was eligible at the end of the last such script.
local function arm(queue)
  local name = QUEUE .. queue
  if redis.call('ZCARD', name .. ':wait') > 0 then
    redis.call('SADD', READY, queue)
    if redis.call('LLEN', name .. ':wake') == 0 then redis.call('RPUSH', name .. ':wake', '1') end
  else
    redis.call('SREM', READY, queue)
  end
end
