#!lua flags=allow-oom
-- commit: settles an attempt as completed or skipped. Events, state changes, emits, the jobs that follow, the ledger and,
-- where nothing is left, the end of the run are recorded together; the ack is part of it.
-- Guarantee: recorded once, by the token that has the job; every check comes before the first write. A run that is failing
-- records what its running steps did, and makes nothing due. The run's next job may be leased to the caller at once
-- (`take`); a commit sent again answers the same job, for as long as that attempt has not been settled.
-- KEYS 1 prefix (string)
-- ARGV 1 run (id) 2 step_id (activation) 3 step (name) 4 flow (name) 5 queue (name) 6 token (string) 7 attempt (integer)
--      8 first (integer: number of the first event) 9 kind ('completed' or 'skipped') 10 ts (ms) 11 data (JSON object)
--      12 result (JSON, or '' where the step is no sink) 13 sinks (names joined by ',') 14 take (token, or '' for no job)
--      15 lease_ms (integer) 16 events (count) 17 changes (count) 18 emits (count), then
--      events of (type, ts, data), changes of (op, key, value, ts, data), emits of (ts, path, offset, data, event, targets) with
--      targets of (step, queue, index, takeable); data's last member is the payload and begins at byte `offset`
-- Reads and writes: run, job, flow (log), state, queue wait/active/conf/wake, ready, runs, events, channel.
-- Returns: {'OK' [, job]} · {'SETTLED' [, job]} · {'FENCED'} · {'ENDED'} · {'GONE'} · {'DUP'} · {'GAP', n} send events from n ·
--          {'REFUSED', why} this will never be accepted; a job is as `fetch` answers it
--- include now append arm create finish attempt buffered
local run, step_id, step, flow, queue, token, attempt = unpack(ARGV, 1, 7)
local first, kind, ts, data, result, sinks, take = tonumber(ARGV[8]), unpack(ARGV, 9, 14)
local lease_ms, events, changes, emits = tonumber(ARGV[15]), tonumber(ARGV[16]), tonumber(ARGV[17]), tonumber(ARGV[18])
local ledger, job, state = RUN .. run, run .. '/' .. step_id, STATE .. run
local at_changes = 19 + 3 * events
local at_emits = at_changes + 5 * changes

local known = redis.call('HMGET', ledger, 'status', 'version')
local status, version = known[1], known[2]
local kept = redis.call('HMGET', JOB .. job, 'state', 'token', 'last', 'events')
local refused = refusal(status, job, queue, token, kept)
if refused == 'SETTLED' and take ~= '' then
  local taken = redis.call('HGET', ledger, 'c:' .. take)
  if taken then
    local h = redis.call('HMGET', JOB .. taken, 'token', 'queue', 'attempt', 'losses', 'path', 'event', 'message')
    if h[1] == take then
      return { 'SETTLED', { taken, h[2], tonumber(h[3]), h[4], h[5], h[6], h[7], flow, version } }
    end
  end
end
if refused then return { refused } end
local recorded = tonumber(kept[4])
if first > recorded then return { 'GAP', recorded } end

-- What the changes come to, by key; false is a deletion. A value that cannot be counted up would stop the script half way,
-- so this is found out before anything is written. Numbers stay below 10^15, where a double holds every whole one.
local function is_whole(text) return string.match(text, '^%-?%d+$') ~= nil end
local function number_of(text)
  local number = string.match(text, '^%-?%d[%d.]*[eE]?[+-]?%d*$') and tonumber(text)
  return number and math.abs(number) < 1e15 and number or nil
end
local function count_up(present, by)
  local number, more = number_of(present), number_of(by)
  local sum = number and more and number + more
  if not sum or math.abs(sum) >= 1e15 then return nil end
  return string.format(is_whole(present) and is_whole(by) and '%.0f' or '%.17g', sum)
end

redis.call('HLEN', state)
local outcome = {}
for k = 0, changes - 1 do
  local i = at_changes + 5 * k
  local op, key, value = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if op == 'set' then
    outcome[key] = value
  elseif op == 'delete' then
    outcome[key] = false
  else
    local present = outcome[key]
    if present == nil then present = redis.call('HGET', state, key) end
    outcome[key] = count_up(present or '0', value)
    if not outcome[key] then return { 'REFUSED', 'state `' .. key .. '` cannot be counted up: it is not a number below 10^15' } end
  end
end

redis.call('DEL', JOB .. job)
redis.call('ZREM', QUEUE .. queue .. ':active', job)
redis.call('HDEL', ledger, 'c:' .. token)
append_buffered(run, flow, step, step_id, attempt, 19, events, first, recorded)
for k = 0, changes - 1 do
  local i = at_changes + 5 * k
  append('state', run, flow, step, step_id, attempt, ARGV[i + 3], ARGV[i + 4], '')
end
for key, value in pairs(outcome) do
  if value then redis.call('HSET', state, key, value) else redis.call('HDEL', state, key) end
end

local is_routing = status == 'running'
local due, touched, next_job = 0, {}, nil

-- One activation for a subscriber: waiting, or, where nothing waits before it, leased to the caller.
local function make_due(i, path, event, message)
  local target, target_queue, index = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local target_path = path .. '.' .. index
  due = due + 1
  if take ~= '' and not next_job and ARGV[i + 3] == '1' and redis.call('ZCARD', QUEUE .. target_queue .. ':wait') == 0 then
    local id = create_leased(run, target, target_queue, target_path, event, message, take, now + lease_ms)
    next_job = { run .. '/' .. id, target_queue, 1, '0', target_path, event, message, flow, version }
    redis.call('HSET', ledger, 'c:' .. take, next_job[1])
    return id
  end
  touched[target_queue] = true
  return create_waiting(run, target, target_queue, target_path, event, message)
end

local i = at_emits
for _ = 1, emits do
  local emit_ts, path, offset, body, event, targets = unpack(ARGV, i, i + 5)
  local to = {}
  if is_routing then
    for k = 0, targets - 1 do
      to[#to + 1] = make_due(i + 6 + 4 * k, path, event, string.sub(body, offset, -2))
    end
  end
  append('emit', run, flow, step, step_id, attempt, emit_ts, body, table.concat(to, ','))
  i = i + 6 + 4 * targets
end
append('step.' .. kind, run, flow, step, step_id, attempt, ts, data, '')

local leased = next_job and 0 or -1
if leased ~= 0 then leased = redis.call('HINCRBY', ledger, 'leased', leased) end
if not is_routing then
  fail_if_idle(run, flow, leased)
  return { 'OK' }
end
if result ~= '' then redis.call('HSET', ledger, 'r:' .. step, result) end
if due ~= 1 and redis.call('HINCRBY', ledger, 'open', due - 1) == 0 then complete(run, flow, sinks) end
for name in pairs(touched) do arm(name) end
return { 'OK', next_job }
