-- Documents are deleted where they are still what was read, or whatever they are.
--
-- KEYS  the documents.
-- ARGV  for each the SHA-1 of its text as it was read; none at all: any document is deleted.
--
-- Reply with ARGV, for each key: 1 deleted, 0 it was changed meanwhile, -1 it is not there.
--       Without: how many were deleted, then the positions (from 0) of keys that hold something else.
-- Errors none of its own.

local answers, doomed, deleted = {}, {}, 0

local function doom(key)
  doomed[#doomed + 1] = key
end

local function unlink()
  -- in parts: not any number of arguments fits on the stack
  for first = 1, #doomed, 1000 do
    deleted = deleted + redis.call('UNLINK', unpack(doomed, first, math.min(first + 999, #doomed)))
  end
end

if #ARGV == 0 then
  answers[1] = 0
  for i, key in ipairs(KEYS) do
    local kind = redis.call('TYPE', key).ok
    if kind == 'ReJSON-RL' then
      doom(key)
    elseif kind ~= 'none' then
      answers[#answers + 1] = i - 1
    end
  end
  unlink()
  answers[1] = deleted
  return answers
end

for i, key in ipairs(KEYS) do
  local text = redis.pcall('JSON.GET', key)
  if not text then
    answers[i] = -1
  elseif type(text) == 'string' and redis.sha1hex(text) == ARGV[i] then
    doom(key)
    answers[i] = 1
  else
    answers[i] = 0
  end
end
unlink()
return answers
