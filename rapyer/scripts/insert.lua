-- New documents that expire: each is written together with its expiry, or left alone.
--
-- KEYS  the documents.
-- ARGV  [1] the time to live in ms, then the JSON text of each document.
--
-- Reply for each document: 1 written, 0 something is there already, text: what the server refused it with.
-- Errors none of its own.

local answers = {}
for i, key in ipairs(KEYS) do
  if redis.call('EXISTS', key) == 1 then
    answers[i] = 0
  else
    local reply = redis.pcall('JSON.SET', key, '$', ARGV[i + 1])
    if type(reply) == 'table' and reply.err then
      answers[i] = reply.err
    else
      redis.call('PEXPIRE', key, ARGV[1])
      answers[i] = 1
    end
  end
end
return answers
