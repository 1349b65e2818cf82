-- attempt: is this token the one that has the job? Answers a refusal, or nil when the call may go on.
-- Every script about an attempt begins with it, before its first write.
-- Needs: arm, finish (OVER).

local function forget(job, queue)
  redis.call('DEL', JOB .. job)
  if redis.call('ZREM', QUEUE .. queue .. ':active', job) == 1 then arm_limited(queue) end
end

local function refusal(status, job, queue, token, kept)
  if not status then forget(job, queue) return 'GONE' end
  if OVER[status] then forget(job, queue) return 'ENDED' end
  if not kept[1] then return 'SETTLED' end
  if kept[1] ~= 'active' or kept[2] ~= token then return kept[3] == token and 'DUP' or 'FENCED' end
  redis.call('XLEN', LOG .. string.match(job, '^[^/]+'))
  return nil
end
