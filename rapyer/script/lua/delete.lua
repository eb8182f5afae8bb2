-- Documents are deleted only where they are still what was read.
--
-- KEYS  the documents.
-- ARGV  the SHA-1 of the text of each as it was read.
--
-- Reply for each document: 1 deleted, 0 it was changed meanwhile, -1 it is not there.
-- Errors none of its own.

local answers = {}
for i, key in ipairs(KEYS) do
  local text = redis.pcall('JSON.GET', key)
  if not text then
    answers[i] = -1
  elseif type(text) == 'string' and redis.sha1hex(text) == ARGV[i] then
    redis.call('UNLINK', key)
    answers[i] = 1
  else
    answers[i] = 0
  end
end
return answers
