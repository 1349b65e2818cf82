#!lua flags=allow-oom
-- knock: wakes one worker's fetcher where it blocks, so that it looks around.
-- Guarantee: by state; a knock that nobody hears ends by itself.
-- KEYS 1 prefix (string)
-- ARGV 1 worker (id) 2 ttl_ms (integer)
-- Reads and writes: the wake list beside the worker hash.
-- Returns: 1
local wake = WORKER .. ARGV[1] .. ':wake'
redis.call('DEL', wake)
redis.call('RPUSH', wake, '1')
redis.call('PEXPIRE', wake, ARGV[2])
return 1
