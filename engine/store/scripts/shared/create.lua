-- create: a new activation of a step, its job written but in no queue yet; answers its id and its place.
-- A place is priority * 2^42 + a sequence of the queue: first come, first served within a priority. All steps have priority 5.
local BAND = 5 * 4398046511104

local function create(run, step, queue, path, event, message)
  local id = step .. '#' .. redis.call('HINCRBY', RUN .. run, 'n:' .. step, 1)
  local score = BAND + redis.call('HINCRBY', QUEUE .. queue .. ':conf', 'seq', 1)
  redis.call('HSET', JOB .. run .. '/' .. id, 'state', 'wait', 'queue', queue, 'score', score, 'path', path, 'event', event,
    'message', message, 'attempt', 0, 'losses', 0, 'events', 0)
  return id, score
end
