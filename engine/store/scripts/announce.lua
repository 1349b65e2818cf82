#!lua flags=allow-oom
-- announce: tells those who follow the registry what has become of it.
-- Guarantee: once a token, unless more than ten others were told between two copies of one call.
-- KEYS 1 prefix (string)
-- ARGV 1 token (id, new with each call) 2 kind (type of the event) 3 data (JSON object)
-- Reads and writes: registry.
-- Returns: {'OK', id of the entry} · {'DUP', id of the first copy's}
--- include now
local token, kind, data = unpack(ARGV, 1, 3)
for _, entry in ipairs(redis.call('XREVRANGE', REGISTRY, '+', '-', 'COUNT', 11)) do
  if entry[2][2] == token then return { 'DUP', entry[1] } end
end
return { 'OK', redis.call('XADD', REGISTRY, 'MAXLEN', 1000, '*', 'token', token, 'type', kind, 'ts', now, 'data', data) }
