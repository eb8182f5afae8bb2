-- Batches of operations on JSON documents: of each batch all operations are applied, or none.
--
-- KEYS  the documents, each once.
-- ARGV  [1] the number of batches; then for each batch
--       the number of operations, how many of them may refuse (the rest are echoes at the end),
--       and for each operation
--         part.code, position of its document in KEYS, JSON path, number of arguments, arguments …
--       JSON values travel as text and are never written from decoded values: cjson would lose digits,
--       1.0 and []. A code that ends in '!' has JSON with doubles that RedisJSON reads one step off; what
--       it made of them is read back and the difference added. Restored values are treated likewise.
--
--   value.set       json guard               guard: '' | 'present' | 'absent' (else answers 0) | the old JSON type
--   value.strapp    json
--   value.cas       sha1-of-old-text json    compare and set
--   number.incr     amount kind ge gt le lt  kind: integer | number; empty bounds do not bind
--   list.setat      index json               replaces an item, negative indices from the end
--   list.append     maxlen json …
--   list.insert     index maxlen json …      clamps like list.insert
--   list.pop        index mode minlen        mode: lenient (empty list answers nil) | strict
--   object.take     child-path               removes an entry, answers its text or nil
--   object.remove                            removes an entry that must be there
--   object.popitem  preferred-key preferred-path   answers {key, text}; quotes keys as paths.py does
--   reading.read    mode                     mode: strict | lenient (a missing document or path answers nil)
--   reading.echo    limit                    a list's or object's text, or the sha1 of that text where it has
--                                            more than limit items (limit '' never, 0 always); else nil
--   reading.check                            refuses always, so that nothing stays applied
--   document.watch  sha1-of-document         sha1 of '' stands for a document that is not there
--   document.save   json mode ttl            mode: '' | nx | xx; ttl in ms or '' (root)
--   document.drop                            deletes the document (root)
--   document.expire ttl                      in ms; -1 removes the expiry (root)
--   document.refresh ttl                     in ms; after everything else, so never undone (root)
--
-- Reply   {stamp, batch, batch …} — stamp: server time in µs; a batch is {answer, answer …} in the order of
--         its operations, or {'refused', position of the refused operation from 0, reason, detail, detail}:
--         nothing of it is applied then.
-- Reasons nokey nopath type key index empty bound length overflow retry conflict exists inexact checked server, and halfway: it could not be undone
-- Errors  none of its own; commands that the server refuses come back as reason 'server'.
--
-- A script is run from its first line each time, and making all these functions takes longer than most
-- operations do. So they are made part by part, when something asks for a part.

local ops, parts, undo = {}, {}, {}

local function need(part)
  local make = parts[part]
  if make then
    parts[part] = nil
    make()
  end
end

local function refuse(reason, detail, more)
  error({ reason = reason, detail = detail or '', more = more or '' }, 0)
end

local function check(reply)
  if type(reply) == 'table' and reply.err then
    if string.find(reply.err, 'wrong Redis type', 1, true) or string.find(reply.err, 'WRONGTYPE', 1, true) then
      refuse('key', reply.err)
    end
    refuse('server', reply.err)
  end
  return reply
end

local function call(...)
  return check(redis.pcall(...))
end

local function kind_of(key, path)
  local reply = call('JSON.TYPE', key, path)
  if not reply then refuse('nokey') end
  local kind = reply[1]
  if type(kind) == 'table' then kind = kind[1] end
  if not kind then
    if call('EXISTS', key) == 0 then refuse('nokey') end
    return nil
  end
  return kind
end

local function demand(key, path, wanted)
  local kind = kind_of(key, path)
  if not kind then refuse('nopath') end
  if kind ~= wanted then refuse('type', kind, wanted) end
end

local function read(key, path)
  local text = call('JSON.GET', key, path)
  if not text then refuse('nokey') end
  if text == '[]' then return nil end
  return string.sub(text, 2, -2)
end

local function write(key, path, json)
  local reply = redis.pcall('JSON.SET', key, path, json)
  if type(reply) == 'table' and reply.err and string.find(reply.err, 'created at the root', 1, true) then
    refuse('nokey')
  end
  if not check(reply) then refuse('nopath') end
end

-- What it takes to store a double that RedisJSON misreads, and to put back what was there.
local quoted, add_differences, repair, put_back

function parts.exactness()
  function quoted(path, name)
    if string.find(name, '\\', 1, true) or string.sub(name, 1, 1) == ' ' then return nil end
    if not string.find(name, '"', 1, true) then return path .. '["' .. name .. '"]' end
    if not string.find(name, "'", 1, true) then return path .. "['" .. name .. "']" end
    return nil
  end

  local function differs(wanted, stored)
    if type(wanted) ~= 'table' or type(stored) ~= 'table' then
      return type(wanted) == 'number' and wanted ~= stored
    end
    for name, value in pairs(wanted) do
      if differs(value, stored[name]) then return true end
    end
    return false
  end

  function add_differences(key, path, wanted, stored, restoring)
    if type(wanted) == 'number' then
      if type(stored) == 'number' and wanted ~= stored then
        call('JSON.NUMINCRBY', key, path, string.format('%.17g', wanted - stored))
      end
    elseif type(wanted) == 'table' and type(stored) == 'table' then
      for name, value in pairs(wanted) do
        local child
        if type(name) == 'number' then child = path .. '[' .. (name - 1) .. ']' else child = quoted(path, name) end
        if child then
          add_differences(key, child, value, stored[name], restoring)
        elseif not restoring and differs(value, stored[name]) then
          refuse('inexact', name)
        end
      end
    end
  end

  function repair(key, path, json, restoring)
    local stored = read(key, path)
    if stored and stored ~= json then
      local wanted = cjson.decode('[' .. json .. ']')[1]
      add_differences(key, path, wanted, cjson.decode('[' .. stored .. ']')[1], restoring)
    end
  end

  function put_back(key, path, json)
    call('JSON.SET', key, path, json)
    repair(key, path, json, true)
  end
end

function parts.value()
  function ops.set(key, path, a, last, fragile)
    local json, guard = a[1], a[2]
    if guard ~= '' then
      local kind = kind_of(key, path)
      if guard == 'absent' then
        if kind then return 0 end
      else
        if not kind then refuse('nopath') end
        if guard ~= 'present' and guard ~= kind then refuse('type', kind, guard) end
      end
    end
    local old = (not last) and read(key, path)
    write(key, path, json)
    if not last then
      undo[#undo + 1] = function()
        if old then put_back(key, path, old) else call('JSON.DEL', key, path) end
      end
    end
    if fragile then repair(key, path, json) end
    return 1
  end

  function ops.strapp(key, path, a, last)
    demand(key, path, 'string')
    local old = (not last) and read(key, path)
    call('JSON.STRAPPEND', key, path, a[1])
    if not last then undo[#undo + 1] = function() call('JSON.SET', key, path, old) end end
    return read(key, path)
  end

  function ops.cas(key, path, a, last, fragile)
    local old = read(key, path)
    if not old then refuse('nopath') end
    if redis.sha1hex(old) ~= a[1] then refuse('retry', old) end
    write(key, path, a[2])
    if not last then undo[#undo + 1] = function() put_back(key, path, old) end end
    if fragile then repair(key, path, a[2]) end
    return 1
  end
end

function parts.number()
  -- Canonical decimal integers compared as text: doubles end at 2^53.
  local function compare(a, b)
    local negative = string.sub(a, 1, 1) == '-'
    if negative ~= (string.sub(b, 1, 1) == '-') then return negative and -1 or 1 end
    local sign = negative and -1 or 1
    if #a ~= #b then return #a < #b and -sign or sign end
    if a == b then return 0 end
    return a < b and -sign or sign
  end

  local function out_of_bounds(order, new, ge, gt, le, lt)
    if ge ~= '' and order(new, ge) < 0 then return '>= ' .. ge end
    if gt ~= '' and order(new, gt) <= 0 then return '> ' .. gt end
    if le ~= '' and order(new, le) > 0 then return '<= ' .. le end
    if lt ~= '' and order(new, lt) >= 0 then return '< ' .. lt end
    return nil
  end

  local function increase_integer(key, path, a, old)
    local amount = a[1]
    if not string.find(old, '^%-?%d+$') then refuse('type', kind_of(key, path), 'integer') end
    local new = string.sub(call('JSON.NUMINCRBY', key, path, amount), 2, -2)
    local up = string.sub(amount, 1, 1) ~= '-'
    local reason, limit
    if not string.find(new, '^%-?%d+$')
      or (up and compare(new, old) < 0) or (not up and compare(new, old) > 0) then
      reason, limit = 'overflow', amount
    else
      limit = out_of_bounds(compare, new, a[3], a[4], a[5], a[6])
      reason = limit and 'bound'
    end
    if reason then
      call('JSON.SET', key, path, old)
      refuse(reason, reason == 'overflow' and old or new, limit)
    end
    return new
  end

  local function increase_float(key, path, a, old)
    local function compare_floats(x, y)
      x, y = tonumber(x), tonumber(y)
      if x == y then return 0 end
      return x < y and -1 or 1
    end
    if not string.find(old, '^%-?%d') then refuse('type', kind_of(key, path), 'number') end
    local wanted = tonumber(old) + tonumber(a[1])
    if wanted - wanted ~= 0 then refuse('overflow', old, a[1]) end
    local limit = out_of_bounds(compare_floats, wanted, a[3], a[4], a[5], a[6])
    if limit then refuse('bound', string.format('%.17g', wanted), limit) end
    local new = string.sub(call('JSON.NUMINCRBY', key, path, a[1]), 2, -2)
    -- a misread amount can be off by more than the result's own last digit: each turn comes closer
    for _ = 1, 8 do
      if tonumber(new) == wanted then break end
      need('exactness')
      add_differences(key, path, wanted, tonumber(new))
      new = read(key, path)
    end
    return new
  end

  function ops.incr(key, path, a, last)
    local old = read(key, path)
    if not old then refuse('nopath') end
    local increase = a[2] == 'integer' and increase_integer or increase_float
    local new = increase(key, path, a, old)
    if not last then undo[#undo + 1] = function() put_back(key, path, old) end end
    return new
  end
end

function parts.list()
  local function length(key, path)
    demand(key, path, 'array')
    return call('JSON.ARRLEN', key, path)[1]
  end

  local function check_length(new, limit)
    if limit ~= '' and new > tonumber(limit) then refuse('length', tostring(new), limit) end
  end

  -- JSON commands with many values are split: Lua's unpack and the command table have limits.
  local function insert_items(key, path, index, items, first)
    local at, position = index, first
    while position <= #items do
      local chunk = {}
      for _ = 1, 1000 do
        if position > #items then break end
        chunk[#chunk + 1] = items[position]
        position = position + 1
      end
      if at then
        call('JSON.ARRINSERT', key, path, at, unpack(chunk))
        at = at + #chunk
      else
        call('JSON.ARRAPPEND', key, path, unpack(chunk))
      end
    end
  end

  local function repair_items(key, path, from, items, first)
    for position = first, #items do
      repair(key, path .. '[' .. (from + position - first) .. ']', items[position])
    end
  end

  function ops.setat(key, path, a, last, fragile)
    local len, index = length(key, path), tonumber(a[1])
    local at = index < 0 and index + len or index
    if at < 0 or at >= len then refuse('index', a[1], tostring(len)) end
    need('value')
    return ops.set(key, path .. '[' .. at .. ']', { a[2], '' }, last, fragile)
  end

  function ops.append(key, path, a, last, fragile)
    local len = length(key, path)
    local new = len + #a - 1
    check_length(new, a[1])
    if not last then
      undo[#undo + 1] = function()
        if len == 0 then call('JSON.SET', key, path, '[]') else call('JSON.ARRTRIM', key, path, 0, len - 1) end
      end
    end
    insert_items(key, path, nil, a, 2)
    if fragile then repair_items(key, path, len, a, 2) end
    return new
  end

  function ops.insert(key, path, a, last, fragile)
    local len = length(key, path)
    local index, count = tonumber(a[1]), #a - 2
    check_length(len + count, a[2])
    if index < 0 then index = math.max(0, len + index) end
    if index > len then index = len end
    if not last then
      undo[#undo + 1] = function()
        for _ = 1, count do call('JSON.ARRPOP', key, path, index) end
      end
    end
    insert_items(key, path, index < len and index or nil, a, 3)
    if fragile then repair_items(key, path, index, a, 3) end
    return len + count
  end

  function ops.pop(key, path, a, last)
    local len = length(key, path)
    local index, mode, minlen = tonumber(a[1]), a[2], a[3]
    if len == 0 and mode == 'lenient' then return false end
    local at = index
    if at < 0 then at = at + len end
    if at < 0 or at >= len then refuse('index', a[1], tostring(len)) end
    if minlen ~= '' and len - 1 < tonumber(minlen) then refuse('length', tostring(len - 1), minlen) end
    local text = call('JSON.ARRPOP', key, path, at)[1]
    if not last then
      undo[#undo + 1] = function()
        if at == len - 1 then call('JSON.ARRAPPEND', key, path, text)
        else call('JSON.ARRINSERT', key, path, at, text) end
        repair(key, path .. '[' .. at .. ']', text, true)
      end
    end
    return text
  end
end

function parts.object()
  local function remove(key, path, text, last)
    call('JSON.DEL', key, path)
    if not last then undo[#undo + 1] = function() put_back(key, path, text) end end
  end

  function ops.take(key, path, a, last)
    demand(key, path, 'object')
    local text = read(key, a[1])
    if not text then return false end
    remove(key, a[1], text, last)
    return text
  end

  function ops.remove(key, path, a, last)
    local text = read(key, path)
    if not text then refuse('nopath') end
    remove(key, path, text, last)
    return 1
  end

  function ops.popitem(key, path, a, last)
    demand(key, path, 'object')
    local name, child = a[1], a[2]
    local text
    if child ~= '' then text = read(key, child) end
    if not text then
      local names = call('JSON.OBJKEYS', key, path)[1]
      if #names == 0 then refuse('empty') end
      name = names[#names]
      need('exactness')
      child = quoted(path, name)
      if not child then refuse('retry', read(key, path)) end
      text = read(key, child)
    end
    remove(key, child, text, last)
    return { name, text }
  end
end

function parts.reading()
  function ops.read(key, path, a)
    if a[1] == 'lenient' and call('EXISTS', key) == 0 then return false end
    local text = read(key, path)
    if not text and a[1] == 'strict' then refuse('nopath') end
    return text or false
  end

  function ops.echo(key, path, a)
    local reply = call('JSON.TYPE', key, path)
    local kind = reply and reply[1]
    if type(kind) == 'table' then kind = kind[1] end
    if kind ~= 'array' and kind ~= 'object' then return false end
    local limit, large = tonumber(a[1]), false
    if limit == 0 then large = true
    elseif limit then large = call(kind == 'array' and 'JSON.ARRLEN' or 'JSON.OBJLEN', key, path)[1] > limit end
    local text = read(key, path)
    return large and redis.sha1hex(text) or text
  end

  function ops.check()
    refuse('checked')
  end
end

function parts.document()
  local function snapshot(key)
    local text = call('JSON.GET', key)
    return text, text and call('PEXPIRETIME', key)
  end

  local function restore_expiry(key, expiry)
    if expiry < 0 then call('PERSIST', key) else call('PEXPIREAT', key, expiry) end
  end

  local function restore(key, text, expiry)
    if not text then call('DEL', key) return end
    put_back(key, '$', text)
    restore_expiry(key, expiry)
  end

  function ops.watch(key, path, a)
    local text = call('JSON.GET', key) or ''
    if redis.sha1hex(text) ~= a[1] then refuse('conflict') end
    return 1
  end

  function ops.save(key, path, a, last, fragile)
    local json, mode, ttl = a[1], a[2], a[3]
    local old, expiry
    if last then
      old = call('EXISTS', key) == 1
      if old then kind_of(key, '$') end
    else
      old, expiry = snapshot(key)
    end
    if mode == 'nx' and old then refuse('exists') end
    if mode == 'xx' and not old then refuse('nokey') end
    write(key, '$', json)
    if not last then undo[#undo + 1] = function() restore(key, old, expiry) end end
    if ttl ~= '' then call('PEXPIRE', key, ttl) end
    if fragile then repair(key, '$', json) end
    return 1
  end

  function ops.drop(key, path, a, last)
    kind_of(key, '$')
    local old, expiry
    if not last then old, expiry = snapshot(key) end
    call('DEL', key)
    if not last then undo[#undo + 1] = function() restore(key, old, expiry) end end
    return 1
  end

  function ops.expire(key, path, a, last)
    if call('EXISTS', key) == 0 then refuse('nokey') end
    local expiry = call('PEXPIRETIME', key)
    if a[1] == '-1' then call('PERSIST', key) else call('PEXPIRE', key, a[1]) end
    if not last then undo[#undo + 1] = function() restore_expiry(key, expiry) end end
    return 1
  end

  function ops.refresh(key, path, a)
    return call('PEXPIRE', key, a[1])
  end
end

local cursor, position = 2, 0

local function run(answers)
  local count, refusable = tonumber(ARGV[cursor]), tonumber(ARGV[cursor + 1])
  cursor = cursor + 2
  for op = 1, count do
    position = op - 1
    local part, code, fragile = string.match(ARGV[cursor], '^(%a+)%.(%a+)(!?)$')
    local key, path = KEYS[tonumber(ARGV[cursor + 1])], ARGV[cursor + 2]
    local argc = tonumber(ARGV[cursor + 3])
    local a = {}
    for i = 1, argc do a[i] = ARGV[cursor + 3 + i] end
    cursor = cursor + 4 + argc
    fragile = fragile ~= ''
    if fragile then need('exactness') end
    need(part)
    answers[op] = ops[code](key, path, a, op >= refusable and not fragile, fragile)
  end
end

local function roll_back()
  need('exactness')
  for i = #undo, 1, -1 do undo[i]() end
end

-- The cursor after a batch, wherever it stopped.
local function skip(from)
  local at = from + 2
  for _ = 1, tonumber(ARGV[from]) do at = at + 4 + tonumber(ARGV[at + 3]) end
  return at
end

local replies = {}
for batch = 1, tonumber(ARGV[1]) do
  local answers, from = {}, cursor
  local ok, problem = pcall(run, answers)
  if not ok then
    if type(problem) ~= 'table' then problem = { reason = 'server', detail = tostring(problem), more = '' } end
    local rolled_back, failure = pcall(roll_back)
    if not rolled_back then
      if type(failure) == 'table' then failure = failure.detail end
      problem = { reason = 'halfway', detail = problem.detail, more = tostring(failure) }
    end
    answers = { 'refused', position, problem.reason, problem.detail, problem.more }
    cursor = skip(from)
  end
  undo = {}
  replies[batch + 1] = answers
end
local time = redis.call('TIME')
replies[1] = tonumber(time[1]) * 1000000 + tonumber(time[2])
return replies
