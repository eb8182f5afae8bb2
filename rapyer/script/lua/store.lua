-- One document with its expiry: written as a whole, or left alone.
--
-- KEYS  the document.
-- ARGV  [1] its JSON text, [2] the time to live in ms, empty for none, [3] NX to leave alone what is there.
--
-- Reply: 1 written, nil something is there already. Errors with what the server refused it with.

local key, json, ttl, mode = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local after = ttl == '' and { 'PERSIST', key } or { 'PEXPIRE', key, ttl }
if redis.acl_check_cmd and not redis.acl_check_cmd(unpack(after)) then
  return redis.error_reply('NOPERM this user has no permissions to run ' .. after[1] .. ' on ' .. key)
end
local reply
if mode == 'NX' then
  reply = redis.call('JSON.SET', key, '$', json, 'NX')
else
  reply = redis.call('JSON.SET', key, '$', json)
end
if not reply then return false end
redis.call(unpack(after))
return 1
