-- Documents are deleted where they are still what was read, or whatever they are.
--
-- KEYS  the documents.
-- ARGV  for each the SHA-1 of its text as it was read; empty: any document.
--
-- Reply for each key: 1 deleted, 0 it was changed meanwhile, -1 it is not there, -2 it is no document
--       (told only where any document is meant).
-- Errors none of its own.

local answers, doomed = {}, {}

local function unlink()
  if #doomed > 0 then redis.call('UNLINK', unpack(doomed)) end
  doomed = {}
end

local function is_unchanged(key, sha)
  local text = redis.pcall('JSON.GET', key)
  if not text then return -1 end
  return type(text) == 'string' and redis.sha1hex(text) == sha and 1 or 0
end

local function is_document(key)
  local kind = redis.call('TYPE', key).ok
  return kind == 'none' and -1 or kind == 'ReJSON-RL' and 1 or -2
end

local chosen = {}
for i, key in ipairs(KEYS) do
  if chosen[key] then
    answers[i] = -1
  else
    answers[i] = ARGV[i] == '' and is_document(key) or ARGV[i] ~= '' and is_unchanged(key, ARGV[i])
    if answers[i] == 1 then
      chosen[key] = true
      doomed[#doomed + 1] = key
      if #doomed == 1000 then unlink() end
    end
  end
end
unlink()
return answers
