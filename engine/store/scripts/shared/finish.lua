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

-- A run that fails ends when nothing of it is leased any more; whoever brings `leased` to 0 writes the end.
local function fail_if_idle(run, flow, leased)
  if leased > 0 then return end
  local kept = redis.call('HMGET', RUN .. run, 'error', 'step')
  finish(run, flow, 'failed', '"error":' .. kept[1] .. ',"step":"' .. kept[2] .. '"')
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
