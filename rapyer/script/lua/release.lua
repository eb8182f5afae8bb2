-- Ends or prolongs a lock, if it is still the caller's.
--
-- KEYS  [1] the lock.
-- ARGV  [1] the token that the caller took the lock with, [2] new expiry in milliseconds, or '' to release.
-- Reply 1 when the lock was the caller's and is released or prolonged, 0 otherwise.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '' then return redis.call('DEL', KEYS[1]) end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
