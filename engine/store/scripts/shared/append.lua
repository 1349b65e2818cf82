-- append: one event into the firehose and the run's log under one id, and onto the flow's channel.
-- Cannot fail for any state of the two streams, so it may follow other writes.
-- Needs: now, and that the log is a stream or not there yet: whoever includes this asks XLEN for it before the first write.

-- A feed that is no stream stops the call here, before anything is written.
redis.call('XLEN', EVENTS)

-- A day number since 1970-01-01 as year, month, day; years are counted from March, so that a leap day is the last.
local function civil(days)
  local z = days + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local month = mp < 10 and mp + 3 or mp - 9
  return yoe + era * 400 + (month <= 2 and 1 or 0), month, doy - math.floor((153 * mp + 2) / 5) + 1
end

local date_of, date, last_of, last = nil, nil, nil, nil

-- A time as ISO 8601. The events of one call are often of one millisecond, and always of one day.
local function iso(ms)
  if ms == last_of then return last end
  local seconds = math.floor(ms / 1000)
  local days = math.floor(seconds / 86400)
  if days ~= date_of then
    date_of, date = days, string.format('%04d-%02d-%02d', civil(days))
  end
  local rest = seconds - days * 86400
  last_of = ms
  last = string.format('%sT%02d:%02d:%02d.%03dZ', date, math.floor(rest / 3600), math.floor(rest % 3600 / 60),
    rest % 60, ms - seconds * 1000)
  return last
end

-- The JSON that other programs read on the channel: ids and numbers joined to bytes that Python encoded.
local function envelope(id, kind, run, flow, step, step_id, attempt, ts, data, to)
  local who = ''
  if step ~= '' then who = ',"stepName":"' .. step .. '"' end
  if step_id ~= '' then who = who .. ',"stepId":"' .. step_id .. '"' end
  if attempt ~= '' then who = who .. ',"attempt":' .. attempt end
  if to ~= '' or kind == 'emit' then
    local list = to == '' and '[]' or '["' .. string.gsub(to, ',', '","') .. '"]'
    data = data == '{}' and '{"to":' .. list .. '}' or string.sub(data, 1, -2) .. ',"to":' .. list .. '}'
  end
  return '{"id":"' .. id .. '","ts":"' .. iso(ts) .. '","type":"' .. kind .. '","runId":"' .. run .. '","flowName":"' .. flow
    .. '"' .. who .. ',"data":' .. data .. '}'
end

local function append(kind, run, flow, step, step_id, attempt, ts, data, to)
  ts = math.min(tonumber(ts) or now, now)
  local log, small = LOG .. run, data
  if #data > REFERENCE_BYTES then small = '{"ref":' .. #data .. '}' end
  local id = redis.call('XADD', EVENTS, 'MAXLEN', '~', EVENTS_MAX_LEN, '*', 'type', kind, 'run', run, 'flow', flow, 'step', step,
    'stepId', step_id, 'attempt', attempt, 'ts', ts, 'data', small, 'to', to, 'at', '')
  local added = redis.pcall('XADD', log, id, 'type', kind, 'run', run, 'flow', flow, 'step', step,
    'stepId', step_id, 'attempt', attempt, 'ts', ts, 'data', data, 'to', to, 'at', '')
  if type(added) == 'table' and added.err then
    -- The firehose was deleted and the clock is behind the log: move the firehose's ids past the log's last one.
    -- Nobody has seen the entry that is taken back, since the script still runs.
    local info, last = redis.call('XINFO', 'STREAM', log), nil
    for i = 1, #info, 2 do
      if info[i] == 'last-generated-id' then last = info[i + 1] end
    end
    redis.call('XDEL', EVENTS, id)
    redis.call('XSETID', EVENTS, last)
    id = redis.call('XADD', EVENTS, 'MAXLEN', '~', EVENTS_MAX_LEN, '*', 'type', kind, 'run', run, 'flow', flow, 'step', step,
      'stepId', step_id, 'attempt', attempt, 'ts', ts, 'data', small, 'to', to, 'at', '')
    redis.call('XADD', log, id, 'type', kind, 'run', run, 'flow', flow, 'step', step,
      'stepId', step_id, 'attempt', attempt, 'ts', ts, 'data', data, 'to', to, 'at', '')
  end
  redis.call('PUBLISH', CHANNEL .. flow, envelope(id, kind, run, flow, step, step_id, attempt, ts, small, to))
  return id
end
