-- finish: the terminal event of a run, and the indexes that follow from it. The caller writes nothing to this log afterwards.
-- Needs: now, append.

local function finish(run, flow, status, body)
  local started = tonumber(redis.call('HGET', RUN .. run, 'started'))
  append('flow.' .. status, run, flow, '', '', '', now, '{' .. body .. ',"duration":' .. math.max(0, now - started) .. '}', '')
  local was = redis.call('HGET', RUN .. run, 'status')
  redis.call('HSET', RUN .. run, 'status', status, 'ended', now)
  redis.call('ZREM', RUNS .. was, run)
  redis.call('ZADD', RUNS .. status, started, run)
  redis.call('ZADD', RUNS .. 'ended', now, run)
end

local function finish_failed(run, flow, error_of_run, step)
  finish(run, flow, 'failed', '"error":' .. error_of_run .. ',"step":"' .. step .. '"')
end

-- A run that fails ends when nothing of it is leased any more; whoever brings `leased` to 0 writes the end.
local function fail_if_idle(run, flow, leased)
  if leased > 0 then return end
  finish_failed(run, flow, unpack(redis.call('HMGET', RUN .. run, 'error', 'step')))
end

-- A run that cannot go on though none of its steps has failed. The kind and the message need no escape.
local function fail_at_once(run, flow, kind, message, step)
  local error_of_run = '{"type":"' .. kind .. '","message":"' .. message .. '"}'
  redis.call('HSET', RUN .. run, 'error', error_of_run, 'step', step)
  finish_failed(run, flow, error_of_run, step)
end

-- The result is the only sink's last one, or an object of those sinks that completed.
local function complete(run, flow, sinks)
  local parts, result = {}, 'null'
  for name in string.gmatch(sinks, '[^,]+') do
    local kept = redis.call('HGET', RUN .. run, 'r:' .. name)
    if kept then
      redis.call('HDEL', RUN .. run, 'r:' .. name)
      parts[#parts + 1] = '"' .. name .. '":' .. kept
      result = kept
    end
  end
  if string.find(sinks, ',', 1, true) then result = '{' .. table.concat(parts, ',') .. '}' end
  finish(run, flow, 'completed', '"result":' .. result)
end

local OVER = { completed = true, failed = true, cancelled = true }
