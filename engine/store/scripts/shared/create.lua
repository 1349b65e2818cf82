-- create: a new activation of a step, with its job in its queue or in the caller's hands; answers its id.
-- Needs: arm (BAND).

local function create(run, step, queue, path, event, message, state, score, attempt, ...)
  local id = step .. '#' .. redis.call('HINCRBY', RUN .. run, 'n:' .. step, 1)
  redis.call('HSET', JOB .. run .. '/' .. id, 'state', state, 'queue', queue, 'score', score, 'path', path, 'event', event,
    'message', message, 'attempt', attempt, 'losses', 0, 'events', 0, ...)
  return id
end

local function create_waiting(run, step, queue, priority, path, event, message)
  local score = priority * BAND + redis.call('HINCRBY', QUEUE .. queue .. ':conf', 'seq', 1)
  local id = create(run, step, queue, path, event, message, 'wait', score, 0)
  redis.call('ZADD', QUEUE .. queue .. ':wait', score, run .. '/' .. id)
  return id
end

-- Where nothing waits before it: its place, should it come back, is before all that came since.
local function create_leased(run, step, queue, priority, path, event, message, token, ends)
  local id = create(run, step, queue, path, event, message, 'active', priority * BAND, 1, 'token', token)
  redis.call('ZADD', QUEUE .. queue .. ':active', ends, run .. '/' .. id)
  return id
end
