-- New documents: each is written, together with its expiry if it has one, or left alone.
--
-- KEYS  the documents.
-- ARGV  [1] the time to live in ms, empty for none; then the JSON text of each document.
--
-- Reply for each document: 1 written, 0 something is there already, text: what the server refused it with.
-- Errors none of its own; that of a server without the JSON module.

local ttl = ARGV[1]
local answers = {}
for i, key in ipairs(KEYS) do
  local reply = redis.pcall('JSON.SET', key, '$', ARGV[i + 1], 'NX')
  if not reply then
    answers[i] = 0
  elseif reply.err then
    -- Valkey omits the name
    if string.find(reply.err, 'Unknown Redis command', 1, true) or string.find(reply.err, 'Unknown command', 1, true) then
      return reply
    end
    answers[i] = reply.err
  else
    answers[i] = 1
    if ttl ~= '' then
      reply = redis.pcall('PEXPIRE', key, ttl)
      if type(reply) == 'table' then
        redis.pcall('JSON.DEL', key)
        answers[i] = reply.err
      end
    end
  end
end
return answers
