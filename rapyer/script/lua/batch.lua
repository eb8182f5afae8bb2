-- Batches of operations on JSON documents: all operations of a batch are applied, or none.
--
-- KEYS  the documents, each once.
-- ARGV  [1] the number of operations, [2] how many of them may refuse (the rest, at the end, refreshes and
--       echoes, only before anything is written),
--       and for each operation
--         part.code, position of its document in KEYS, JSON path, number of arguments, arguments …
--       JSON values travel as text and are never written from decoded values: cjson would lose digits,
--       1.0 and []. A code that ends in '!' has JSON with doubles that RedisJSON reads one step off; what
--       it made of them is read back and the difference added. Restored values are treated likewise.
-- Reply {stamp, answer, answer …}: the server's time in µs, and the answers in the order of the operations; or
--       {stamp, 'refused', position of the refused operation from 0, reason, detail, detail}, where a reason
--       has less than two details with '': nothing is applied then.
-- Errors none of its own; commands that the server refuses come back as reason 'server'.
--
-- Primitives: what they take; they answer 1 unless something else is said.
--   value.set        json guard
--       guard: '' | present | absent (else answers 0) | the old JSON type
--       refuses: nopath type inexact
--   value.strapp     json
--       answers the new text
--       refuses: nopath type
--   value.cas        sha1 json
--       sha1: of the old text
--       json: '' leaves it as it is
--       refuses: nopath retry inexact
--   number.incr      amount kind ge gt le lt
--       kind: integer | number
--       lt: '' does not bind
--       answers the new number
--       refuses: nopath type overflow bound
--   list.setat       index json
--       index: negative: from the end
--       refuses: nopath type index inexact
--   list.append      maxlen json …
--       maxlen: the longest it may become, or ''
--       answers the new length
--       refuses: nopath type length inexact
--   list.insert      index maxlen json …
--       index: clamps as list.insert does
--       maxlen: the longest it may become, or ''
--       answers the new length
--       refuses: nopath type length inexact
--   list.pop         index mode minlen
--       index: negative: from the end
--       mode: lenient (an empty list answers nil) | strict
--       minlen: the shortest it may become, or ''
--       answers the item's text
--       refuses: nopath type index length
--   object.take      name
--       on the wire: path-of-entry
--       answers the removed entry's text, or nil
--       refuses: nopath type
--   object.remove
--       on the wire: path-of-parent
--       refuses: nopath
--   object.popitem   name
--       name: of the preferred entry, or none
--       on the wire: name path-of-entry, each '' for none
--       answers {name, text}
--       refuses: nopath type empty retry
--   reading.read     mode
--       mode: strict | lenient (no document or place answers nil)
--       answers the text
--       refuses: nopath
--       writes nothing
--   reading.echo     limit
--       limit: of items; 0: always the sha1, '': never
--       answers text of a list or object, its sha1 above the limit (not above 2 MiB); else nil
--       writes nothing
--   reading.check
--       answers never
--       refuses: checked
--       writes nothing
--   document.watch   sha1
--       sha1: of the whole text; of '' for no document
--       refuses: conflict
--       writes nothing
--   document.save    json mode ttl
--       mode: '' | nx | xx
--       ttl: in ms, or ''
--       refuses: exists inexact
--   document.drop
--   document.expire  ttl
--       ttl: in ms; -1 removes the expiry
--   document.refresh ttl
--       ttl: in ms
--       answers whether it is there
--
-- Reasons, with their details; any primitive may refuse for nokey key server halfway.
--   nokey     there is no such document
--   nopath    the document has no such place
--   type      stored type, wanted type: the place holds another type
--   key       the key holds no JSON document
--   index     index, length: out of range
--   empty     the object has no entry
--   bound     new value, limit: the new value would break a bound
--   length    new length, limit: the length would break a bound
--   overflow  old value, amount: the sum does not fit
--   retry     text: what is stored is something else; compute again
--   conflict  the document was changed meanwhile
--   exists    the document is there already
--   inexact   name: a double below a key that no path names cannot be stored exactly
--   checked   everything before would apply
--   server    error: the server refused a command
--   halfway   error, error: the server refused a command, and undoing one as well
--
-- A script is run from its first line each time, and making all these functions takes longer than most
-- operations do. So they are made part by part, when something asks for a part.

-- How a refused batch leaves nothing behind:
--   - What comes after a step's last write without being undone, and what undoing takes, is asked for before: whether
--     the user may run it. Memory, replicas and the like are no reason for the server to refuse anything after the
--     first write of a script.
--   - What undoes a step is written down once the step has written.
--   - Undoing puts back a small text, or takes away what was added. What that could not restore exactly (a large or
--     deeply nested value, the order of many entries, a document with its expiry) is kept before the write, as a copy
--     of the document under another key of the same slot, or as its text where the user may not copy it.
--   - Where neither can be had, the step is refused.

local ops, parts = {}, {}
local undo, kept, copies, held = {}, {}, {}, 0

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

-- Whether the user may run a command on a key, and on another one.
local function may(key, command, other)
  if not redis.acl_check_cmd then return true end
  local ok, permitted
  if other then ok, permitted = pcall(redis.acl_check_cmd, command, key, other)
  else ok, permitted = pcall(redis.acl_check_cmd, command, key) end
  return ok and permitted
end

local function demand_right(key, command, why)
  if not may(key, command) then
    refuse('server', 'NOPERM this user has no permissions to run the ' .. command .. ' command' .. (why or ''))
  end
end

-- The kind in an answer of JSON.TYPE: a bulk string of RedisJSON, maybe nested, or a status of valkey-json.
local function said_kind(reply)
  while type(reply) == 'table' do reply = reply.ok or reply[1] end
  return reply or nil
end

local function kind_of(key, path)
  local reply = call('JSON.TYPE', key, path)
  if not reply then refuse('nokey') end
  local kind = said_kind(reply)
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
  if type(reply) == 'table' and reply.err then
    if string.find(reply.err, 'created at the root', 1, true) then refuse('nokey') end
    if string.find(reply.err, 'index out of range', 1, true) then refuse('nopath') end
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

  function add_differences(key, path, wanted, stored)
    if type(wanted) == 'number' then
      if type(stored) == 'number' and wanted ~= stored then
        call('JSON.NUMINCRBY', key, path, string.format('%.17g', wanted - stored))
      end
    elseif type(wanted) == 'table' and type(stored) == 'table' then
      for name, value in pairs(wanted) do
        local child
        if type(name) == 'number' then child = path .. '[' .. (name - 1) .. ']' else child = quoted(path, name) end
        if child then
          add_differences(key, child, value, stored[name])
        elseif differs(value, stored[name]) then
          refuse('inexact', name)
        end
      end
    end
  end

  -- Where to look is said by whoever sent the text, in lines of number and path, or found out here.
  function repair(key, path, json, doubtful)
    if doubtful and doubtful ~= '' then
      for number, below in string.gmatch(doubtful, '(%S+) ([^\n]*)\n') do
        add_differences(key, path .. below, tonumber(number), tonumber(read(key, path .. below)))
      end
      return
    end
    local stored = read(key, path)
    if stored and stored ~= json then
      local wanted = cjson.decode('[' .. json .. ']')[1]
      add_differences(key, path, wanted, cjson.decode('[' .. stored .. ']')[1])
    end
  end

  function put_back(key, path, json)
    call('JSON.SET', key, path, json)
    repair(key, path, json)
  end
end

-- What is written down, or kept, before a step that others follow.
local undoes, keep, check_ttl

function parts.undoing()
  local HELD_AT_MOST, TEXT_AT_MOST, DEPTH_READ = 262144, 65536, 128
  local LONG_NUMBER = '[%d.]' .. string.rep('[%d.]', 15)
  local FOR_UNDOING = ', which undoing the step may need'

  local function brackets(text)
    local count = 0
    for _, bracket in ipairs({ '[', '{' }) do
      local at = string.find(text, bracket, 1, true)
      while at and count <= DEPTH_READ do
        count = count + 1
        at = string.find(text, bracket, at + 1, true)
      end
    end
    return count
  end

  local function has_long_numbers(text)
    return #text > 3 and (string.find(text, '%de%-?%d') or #text > 15 and string.find(text, LONG_NUMBER))
  end

  -- Whether a number below a name that no path names may be misread: nothing could mend that.
  local function mends(text)
    return #text < 16 or not (string.find(text, '\\', 1, true) or string.find(text, '[{,]" '))
      or not has_long_numbers(text)
  end

  -- What the user lacks for putting a text back; nil where nothing is lacking.
  local function lacking(key, text)
    if not may(key, 'JSON.SET') then return 'JSON.SET' end
    if has_long_numbers(text) and not may(key, 'JSON.NUMINCRBY') then return 'JSON.NUMINCRBY' end
  end

  local function is_small(text)
    return #text <= TEXT_AT_MOST and held + #text <= HELD_AT_MOST
      and (#text < 2 * DEPTH_READ or brackets(text) <= DEPTH_READ)
  end

  -- In the slot of the key: by its hash tag, or as one.
  local function name_of_copy(key)
    local open = string.find(key, '{', 1, true)
    local close = open and string.find(key, '}', open + 1, true)
    if (close and close > open + 1) or string.find(key, '}', 1, true) then return 'rapyer:undo:' .. key end
    return 'rapyer:undo:{' .. key .. '}'
  end

  local function keep_copy(key)
    local copy = name_of_copy(key)
    if not (may(key, 'COPY', copy) and may(copy, 'RENAME', key) and may(copy, 'UNLINK')) then return false end
    if redis.pcall('COPY', key, copy) ~= 1 then return false end
    copies[#copies + 1] = copy
    undo[#undo + 1] = function() call('RENAME', copy, key) end
    return true
  end

  local function keep_text(key)
    local text, expiry = call('JSON.GET', key), call('PEXPIRETIME', key)
    for _, command in ipairs({ lacking(key, text) or 'JSON.GET', expiry < 0 and 'PERSIST' or 'PEXPIREAT' }) do
      demand_right(key, command, FOR_UNDOING)
    end
    if not mends(text) then refuse('server', 'NOPERM this step cannot be undone without the COPY command') end
    if brackets(text) > DEPTH_READ then
      -- the server reads it, and leaves alone what is there
      call('JSON.SET', key, '$', text, 'NX')
    end
    undo[#undo + 1] = function()
      put_back(key, '$', text)
      if expiry < 0 then call('PERSIST', key) else call('PEXPIREAT', key, expiry) end
    end
  end

  -- Keeps a document as a whole, once: what comes later needs no undoing of its own.
  function keep(key)
    if kept[key] then return end
    if call('EXISTS', key) == 0 then
      demand_right(key, 'DEL', FOR_UNDOING)
      undo[#undo + 1] = function() call('DEL', key) end
    elseif not keep_copy(key) then
      keep_text(key)
    end
    kept[key] = true
  end

  -- Whether a step that is about to write can be undone by itself: by putting back `text`, if that is given, and by
  -- `command`, if that is. Where it cannot, the document is kept.
  function undoes(key, text, command)
    local by_itself = not command or may(key, command)
    if text then by_itself = by_itself and is_small(text) and mends(text) and not lacking(key, text) end
    if not by_itself then
      keep(key)
      return false
    end
    held = held + (text and #text or 0)
    return true
  end
end

-- Whether a step has to see to its undoing: no step that may refuse follows the last one.
local function is_open(key, last)
  if last or kept[key] then return false end
  need('undoing')
  return true
end

function check_ttl(ttl)
  local number = tonumber(ttl)
  if not number or number > 9e18 then refuse('server', "ERR invalid expire time in 'pexpire' command") end
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
    local open, old = is_open(key, last), nil
    if open then
      old = read(key, path)
      open = undoes(key, old, not old and 'JSON.DEL')
    end
    write(key, path, json)
    if open then
      undo[#undo + 1] = function()
        if old then put_back(key, path, old) else call('JSON.DEL', key, path) end
      end
    end
    if fragile then repair(key, path, json, fragile) end
    return 1
  end

  function ops.strapp(key, path, a, last)
    demand(key, path, 'string')
    demand_right(key, 'JSON.GET')
    local open, old = is_open(key, last), nil
    if open then
      old = read(key, path)
      open = undoes(key, old)
    end
    call('JSON.STRAPPEND', key, path, a[1])
    if open then undo[#undo + 1] = function() put_back(key, path, old) end end
    return read(key, path)
  end

  function ops.cas(key, path, a, last, fragile)
    local old = read(key, path)
    if not old then refuse('nopath') end
    if redis.sha1hex(old) ~= a[1] then refuse('retry', old) end
    if a[2] == '' then return 1 end
    local open = is_open(key, last) and undoes(key, old)
    write(key, path, a[2])
    if open then undo[#undo + 1] = function() put_back(key, path, old) end end
    if fragile then repair(key, path, a[2], fragile) end
    return 1
  end
end

-- Canonical decimal integers as text: doubles end at 2^53.
local compare, sum

function parts.large_integers()
  function compare(a, b)
    local negative = string.sub(a, 1, 1) == '-'
    if negative ~= (string.sub(b, 1, 1) == '-') then return negative and -1 or 1 end
    local sign = negative and -1 or 1
    if #a ~= #b then return #a < #b and -sign or sign end
    if a == b then return 0 end
    return a < b and -sign or sign
  end

  -- Two halves, each of which a double holds.
  local function halves(text)
    local sign, digits = string.match(text, '^(%-?)(%d+)$')
    local high, low = tonumber(string.sub(digits, 1, -10)) or 0, tonumber(string.sub(digits, -9))
    if sign == '-' then return -high, -low end
    return high, low
  end

  function sum(a, b)
    local a_high, a_low = halves(a)
    local b_high, b_low = halves(b)
    local high, low = a_high + b_high, a_low + b_low
    local carry = math.floor(low / 1e9)
    high, low = high + carry, low - carry * 1e9
    if high < 0 and low > 0 then high, low = high + 1, low - 1e9 end
    local sign = (high < 0 or low < 0) and '-' or ''
    high, low = math.abs(high), math.abs(low)
    if high == 0 then return sign .. string.format('%.0f', low) end
    return sign .. string.format('%.0f%09.0f', high, low)
  end
end

function parts.number()
  local HIGHEST, LOWEST, SHORT = '9223372036854775807', '-9223372036854775808', 15

  local function check_bounds(order, new, a)
    local limit
    if a[3] ~= '' and order(new, a[3]) < 0 then limit = '>= ' .. a[3] end
    if a[4] ~= '' and order(new, a[4]) <= 0 then limit = limit or '> ' .. a[4] end
    if a[5] ~= '' and order(new, a[5]) > 0 then limit = limit or '<= ' .. a[5] end
    if a[6] ~= '' and order(new, a[6]) >= 0 then limit = limit or '< ' .. a[6] end
    if limit then refuse('bound', new, limit) end
  end

  local function checked_integer(key, path, a, old)
    if not string.find(old, '^%-?%d+$') then refuse('type', kind_of(key, path), 'integer') end
    local is_bound = a[3] ~= '' or a[4] ~= '' or a[5] ~= '' or a[6] ~= ''
    if not is_bound and #old <= SHORT and #a[1] <= SHORT then return end
    need('large_integers')
    local new = sum(old, a[1])
    if compare(new, HIGHEST) > 0 or compare(new, LOWEST) < 0 then refuse('overflow', old, a[1]) end
    check_bounds(compare, new, a)
  end

  local function checked_float(key, path, a, old)
    local function compare_floats(x, y)
      x, y = tonumber(x), tonumber(y)
      if x == y then return 0 end
      return x < y and -1 or 1
    end
    if not string.find(old, '^%-?%d') then refuse('type', kind_of(key, path), 'number') end
    local wanted = tonumber(old) + tonumber(a[1])
    if wanted - wanted ~= 0 then refuse('overflow', old, a[1]) end
    check_bounds(compare_floats, string.format('%.17g', wanted), a)
    return wanted
  end

  -- A misread amount can be off by more than the result's own last digit: each turn comes closer.
  local function corrected(key, path, new, wanted)
    for _ = 1, 8 do
      if tonumber(new) == wanted then break end
      need('exactness')
      add_differences(key, path, wanted, tonumber(new))
      new = read(key, path)
    end
    return new
  end

  function ops.incr(key, path, a, last)
    local old, amount = read(key, path), a[1]
    if not old then refuse('nopath') end
    local is_float = a[2] ~= 'integer'
    local wanted = (is_float and checked_float or checked_integer)(key, path, a, old)
    -- the sum of two integers would be one, and wrap
    if is_float and not string.find(amount, '[.eE]') then amount = amount .. '.0' end
    local open = is_open(key, last) and undoes(key, old)
    local new = string.sub(call('JSON.NUMINCRBY', key, path, amount), 2, -2)
    if open then undo[#undo + 1] = function() put_back(key, path, old) end end
    return is_float and corrected(key, path, new, wanted) or new
  end
end

function parts.list()
  -- JSON commands with many values are split: Lua's unpack and the command table have limits.
  local AT_ONCE, UNDONE_ONE_BY_ONE = 1000, 100

  local function length(key, path)
    demand(key, path, 'array')
    return call('JSON.ARRLEN', key, path)[1]
  end

  local function check_length(new, limit)
    if limit ~= '' and new > tonumber(limit) then refuse('length', tostring(new), limit) end
  end

  local function add_items(key, path, index, items, first)
    local at, position = index, first
    while position <= #items do
      local chunk = {}
      for _ = 1, AT_ONCE do
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
    -- several commands: the second may refuse what follows the first
    if is_open(key, last and #a - 1 <= AT_ONCE) and undoes(key, nil, 'JSON.ARRTRIM') then
      -- right whether all, some or none of the items come to be there
      undo[#undo + 1] = function()
        if length(key, path) == len then return end
        if len == 0 then call('JSON.ARRTRIM', key, path, 1, 0) else call('JSON.ARRTRIM', key, path, 0, len - 1) end
      end
    end
    add_items(key, path, nil, a, 2)
    if fragile then repair_items(key, path, len, a, 2) end
    return new
  end

  function ops.insert(key, path, a, last, fragile)
    local len = length(key, path)
    local index, count = tonumber(a[1]), #a - 2
    check_length(len + count, a[2])
    if index < 0 then index = math.max(0, len + index) end
    if index > len then index = len end
    local open = is_open(key, last and count <= AT_ONCE)
    if open and count > UNDONE_ONE_BY_ONE then
      keep(key)
      open = false
    end
    open = open and undoes(key, nil, 'JSON.ARRPOP')
    add_items(key, path, index < len and index or nil, a, 3)
    if open then
      undo[#undo + 1] = function()
        for _ = 1, count do call('JSON.ARRPOP', key, path, index) end
      end
    end
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
    local item = path .. '[' .. at .. ']'
    local adding = at == len - 1 and 'JSON.ARRAPPEND' or 'JSON.ARRINSERT'
    local open = is_open(key, last) and undoes(key, read(key, item), adding)
    local text = call('JSON.ARRPOP', key, path, at)[1]
    if open then
      undo[#undo + 1] = function()
        if at == len - 1 then call(adding, key, path, text) else call(adding, key, path, at, text) end
        repair(key, item, text)
      end
    end
    return text
  end
end

function parts.object()
  -- The server moves the last entry to where one is removed: only the whole puts the order right.
  local function remove(key, parent, child, last)
    local open, whole = is_open(key, last), nil
    if open then
      whole = read(key, parent)
      open = undoes(key, whole)
    end
    call('JSON.DEL', key, child)
    if open then undo[#undo + 1] = function() put_back(key, parent, whole) end end
  end

  function ops.take(key, path, a, last)
    demand(key, path, 'object')
    local text = read(key, a[1])
    if not text then return false end
    remove(key, path, a[1], last)
    return text
  end

  function ops.remove(key, path, a, last)
    if not kind_of(key, path) then refuse('nopath') end
    remove(key, a[1], path, last)
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
    remove(key, path, child, last)
    return { name, text }
  end
end

function parts.reading()
  local DIGESTED_AT_MOST = 2097152  -- which takes some 10 ms; to send more takes the server less

  function ops.read(key, path, a)
    local reply = call('JSON.GET', key, path)
    if reply and reply ~= '[]' then return string.sub(reply, 2, -2) end
    if a[1] == 'strict' then refuse(reply and 'nopath' or 'nokey') end
    return false
  end

  function ops.echo(key, path, a)
    local kind = said_kind(call('JSON.TYPE', key, path))
    if kind ~= 'array' and kind ~= 'object' then return false end
    local limit, large = tonumber(a[1]), false
    if limit == 0 then large = true
    elseif limit then large = call(kind == 'array' and 'JSON.ARRLEN' or 'JSON.OBJLEN', key, path)[1] > limit end
    local text = read(key, path)
    return large and #text <= DIGESTED_AT_MOST and redis.sha1hex(text) or text
  end

  function ops.check()
    refuse('checked')
  end
end

function parts.document()
  function ops.watch(key, path, a)
    local text = call('JSON.GET', key) or ''
    if redis.sha1hex(text) ~= a[1] then refuse('conflict') end
    return 1
  end

  function ops.save(key, path, a, last, fragile)
    local json, mode, ttl = a[1], a[2], a[3]
    local exists = call('EXISTS', key) == 1
    if exists then kind_of(key, '$') end
    if mode == 'nx' and exists then refuse('exists') end
    if mode == 'xx' and not exists then refuse('nokey') end
    if ttl ~= '' then
      check_ttl(ttl)
      demand_right(key, 'PEXPIRE')
    end
    if is_open(key, last) then keep(key) end
    write(key, '$', json)
    if ttl ~= '' then call('PEXPIRE', key, ttl) end
    if fragile then repair(key, '$', json, fragile) end
    return 1
  end

  function ops.drop(key, path, a, last)
    kind_of(key, '$')
    if is_open(key, last) then keep(key) end
    call('DEL', key)
    return 1
  end

  function ops.expire(key, path, a, last)
    if call('EXISTS', key) == 0 then refuse('nokey') end
    local persists = a[1] == '-1'
    if not persists then check_ttl(a[1]) end
    local open, expiry = is_open(key, last), nil
    if open then
      expiry = call('PEXPIRETIME', key)
      if not persists and tonumber(a[1]) <= 0 then
        keep(key) -- it is deleted
        open = false
      end
      open = open and undoes(key, nil, expiry < 0 and 'PERSIST' or 'PEXPIREAT')
    end
    if persists then call('PERSIST', key) else call('PEXPIRE', key, a[1]) end
    if open then
      undo[#undo + 1] = function()
        if expiry < 0 then call('PERSIST', key) else call('PEXPIREAT', key, expiry) end
      end
    end
    return 1
  end

  function ops.refresh(key, path, a, last)
    if last then return call('PEXPIRE', key, a[1]) end
    if call('EXISTS', key) == 0 then return 0 end
    return ops.expire(key, path, a, last)
  end
end

local position = 0

-- What comes last must not refuse any more when it is its turn.
local function check_the_end(cursor, count, refusable)
  for op = 1, count do
    if op > refusable then
      position = op - 1
      local key = KEYS[tonumber(ARGV[cursor + 1])]
      if ARGV[cursor] == 'document.refresh' then
        check_ttl(ARGV[cursor + 4])
        demand_right(key, 'PEXPIRE')
      else
        demand_right(key, 'JSON.GET')
        if ARGV[cursor] == 'reading.echo' then
          for _, command in ipairs({ 'JSON.TYPE', 'JSON.ARRLEN', 'JSON.OBJLEN' }) do demand_right(key, command) end
        end
      end
    end
    cursor = cursor + 4 + tonumber(ARGV[cursor + 3])
  end
end

local function run(answers)
  local count, refusable, cursor = tonumber(ARGV[1]), tonumber(ARGV[2]), 3
  if count > refusable then check_the_end(cursor, count, refusable) end
  for op = 1, count do
    position = op - 1
    local part, code, mark, fragile = string.match(ARGV[cursor], '^(%a+)%.(%a+)(!?)(.*)$')
    local key, path = KEYS[tonumber(ARGV[cursor + 1])], ARGV[cursor + 2]
    local argc = tonumber(ARGV[cursor + 3])
    local a = {}
    for i = 1, argc do a[i] = ARGV[cursor + 3 + i] end
    cursor = cursor + 4 + argc
    if mark == '' then fragile = false else need('exactness') end
    need(part)
    answers[op + 1] = ops[code](key, path, a, op >= refusable and not fragile, fragile)
  end
  for _, copy in ipairs(copies) do call('UNLINK', copy) end
end

local function roll_back()
  local failure
  need('exactness')
  for i = #undo, 1, -1 do
    local ok, problem = pcall(undo[i])
    if not ok then failure = problem end
  end
  return failure
end

-- Asked for first: where the user may not, nothing is written yet. It stands still while a script runs.
local time = redis.call('TIME')
local answers = {}
local ok, problem = pcall(run, answers)
if not ok then
  if type(problem) ~= 'table' then problem = { reason = 'server', detail = tostring(problem), more = '' } end
  local failure = roll_back()
  if failure then
    if type(failure) == 'table' then failure = failure.detail end
    problem = { reason = 'halfway', detail = problem.detail, more = tostring(failure) }
  end
  answers = { 0, 'refused', position, problem.reason, problem.detail, problem.more }
end
answers[1] = tonumber(time[1]) * 1000000 + tonumber(time[2])
return answers
