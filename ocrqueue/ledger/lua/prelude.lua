-- The beginning of every script.
-- KEYS: the job's hash, the hash of its pages, then the ledger's own keys (see `scripts.keys`).
-- ARGV: job id, time in seconds since 1970 ('' = the server's clock), lease in seconds, attempts allowed, then the
--   script's own arguments, which `arg(1)`, `arg(2)`, ... return.
--
-- The job's hash: v round state n top cursor ok failed cancelled reopened weight width lanes cancel queue priority ...
--   n           pages asked for
--   cursor, top pages up to `cursor` were claimed at least once; pages after `cursor` up to `top` are open; pages after
--               `top` up to `n` were cancelled before anybody claimed them
--   reopened    number of open pages up to `cursor`
--   weight      what this job adds to ocr:backlog
--   width       lanes wanted: the largest number of tickets in the queue at a time
--   lanes       lanes that have a field `lane:<i>`; it never shrinks
--   lane:<i>    "<serial> <sent> <wait> <token>": serial of the current ticket, when it was sent (0: not sent), its
--               wait (see FIRST_WAIT), token of the claim that took it ("-": nobody)
--   claim:<token>  "document", "assemble" or "page <lane> <page,page,...>"
--   lost:<what>, sent:<what>, wait:<what>  the same for the document and assemble messages
--   last:<slot> "<step> <token>": the step that ended the last claim of a lane, of the document or of the assembly
--   published   the last round whose end has been published
--   owner       name of the API key that submitted the job; missing for other clients
--   webhook     JSON object: the URL that is called about the job, its events and secret; missing for most jobs
--   counted     "<state> <engine> <priority> <open> <ok> <failed> <cancelled>": what ocr:counts and ocr:figures contain
--               of this job
--   again       number of pages that were poorly read and wait until no other page is left; then the worst of them are
--               read by another engine, as many as `share` of `other` allows
--   other       JSON object: see `records.Other`
--   second      JSON object: engine and model of the other engine that has read pages again; missing until then
--   first       JSON object, while that engine reads: queue, engine, model, revision and reads_as of the first one
--   until       until when it may begin to read a page
--   structures  id of the job whose pages this record finds the structure of: it is a structuring, not a job of its
--               own; missing for jobs
--   webhook_gone  set once the URL answered 410: it is not called again
--   quality     "<pages> <sum> <poor>": number of pages whose quality is known, the sum of their qualities in percent,
--               and how many of them were poorly read; missing if none is known
-- The hash of pages holds only pages up to `cursor` that are not ok:
--   c<lost>[a] claimed, o<lost>[a] open again, x<lost> cancelled, f<lost> <code> <message> failed, "c0 again" poorly
--   read; if another engine is to read it, it is then open again as any other, but it cannot fail
--   <lost> counts lost claims; "a" means that the page must be claimed alone.
-- It also holds the qualities of pages that were read: `q<i>` has a byte for each of the pages after QUALITIES * i, the
--   quality in percent plus 1, or 0 if it is not known. No byte is a letter that means something above.
-- The hash of deliveries: "<round>" for the end of a round, "<round>-<page>" for a page: JSON object with
--   event, created, data (JSON text), state, tries, next (try), token (of the claim), status and error (of the last
--   try), ended
local job, pages, open_jobs, all_jobs = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local claims, dead, unpublished, backlog, result = KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local counts, figures, minutes, waiting = KEYS[10], KEYS[11], KEYS[12], KEYS[13]
local job_deliveries, deliveries, due, taken = KEYS[14], KEYS[15], KEYS[16], KEYS[17]
local id, now, lease, attempts_allowed = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local arg = function(i) return ARGV[4 + i] end
local VERSION = 2
-- A message is lost if one that was sent so many seconds later has left its list: 20 with the default lease of 45.
local EMPTY_WAIT = lease * 4 / 9
-- the wait of a message that was sent once, in seconds; doubled each time it is sent again. Only older versions wait.
local FIRST_WAIT, LONGEST_WAIT = lease * 4 / 3, lease * 20
local DOCUMENTS = 'documents' -- the queue of documents and assemblies

if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) + tonumber(time[2]) / 1e6
end

local messages = {} -- for the caller to send
local delivering = false -- whether they ask for a sender of deliveries

local function get(field) return redis.call('HGET', job, field) end
local function num(field) return tonumber(get(field) or 0) end
local function add(field, by) return redis.call('HINCRBY', job, field, by) end
local function set(...) return redis.call('HSET', job, ...) end
local function stamp(t) return string.format('%.3f', t) end
local function member(name) return id .. ' ' .. name end

local function send(kind, ...) messages[#messages + 1] = {kind, ...} end

-- Messages wait in lists, one for each queue and priority, and the oldest is taken first. So the reconciler needs to
-- know of each list up to which time it has been taken, and which jobs have a message in it that was sent before.

-- the list of a queue in which this job's messages wait, as a member of ocr:taken
local known_priority
local function list_of(queue)
  known_priority = known_priority or num('priority')
  return queue .. ' ' .. known_priority
end

-- notes that a message of this job waits in a list, from now on if none did. The time may be too early: the reconciler
-- corrects it when it looks at the job.
local noted
local function note_sent(queue)
  if noted == queue then return end
  noted = queue
  redis.call('ZADD', taken, 'NX', 0, list_of(queue))
  redis.call('ZADD', 'ocr:sent:' .. list_of(queue), 'NX', stamp(now), id)
end

-- notes that no message of this job waits in a list
local function forget_sent(queue)
  noted = nil
  redis.call('ZREM', 'ocr:sent:' .. list_of(queue), id)
end

-- notes that a message was taken from a list, which was sent then, and once. What was sent a moment ago may have been
-- in no list: a plain message creates its job when it is taken.
local function note_taken(queue, sent, wait)
  if wait <= FIRST_WAIT and now - sent >= 1 then redis.call('ZADD', taken, 'GT', stamp(sent), list_of(queue)) end
end

-- publishes an event, which wakes clients that wait for the job
local function tell(event)
  redis.call('PUBLISH', 'ocr:events:' .. id, cjson.encode(event))
end

local function reply(extra)
  local out = extra or {}
  out.messages = messages
  out.queue, out.priority, out.round, out.name = get('queue'), num('priority'), num('round'), get('name')
  out.version = num('v')
  return cjson.encode(out)
end

-- the key of the owner's jobs; nil for a job without an owner
local function owned_jobs()
  local owner = get('owner')
  return owner and 'ocr:owner:' .. owner
end

local function has_ended()
  local state = get('state')
  return state ~= 'queued' and state ~= 'running'
end

-- adds `value`, observed `times` times, to a histogram of ocr:figures; `bounds` are ascending, as text
local function observe(name, bounds, value, times)
  local i = 1
  while bounds[i] and value > tonumber(bounds[i]) do i = i + 1 end
  redis.call('HINCRBY', figures, name .. ' ' .. (bounds[i] or 'more'), times)
  redis.call('HINCRBY', figures, name .. ' sum', math.floor(value * times * 1000 + 0.5))
end

-- counts the job in ocr:counts with `more` in the field `after`, no longer with `less` in the field `before`
local function count(before, less, after, more)
  if before == after then before, less, more = nil, 0, more - less end
  if less ~= 0 then redis.call('HINCRBY', counts, before, -less) end
  if more ~= 0 then redis.call('HINCRBY', counts, after, more) end
end

-- notes that ocr:counts has the failed pages of all jobs, which that of an older version has not
local function set_whole() redis.call('HSET', counts, 'whole', 1) end

-- the state, engine, priority and numbers (open, ok, failed, cancelled) in the field `counted`; empty if it is missing
local function parse_counted(text)
  local state, engine, priority, rest = (text or ''):match('^(%S+) (%S+) (%S+) (.*)$')
  local numbers = {}
  for number in (rest or ''):gmatch('%d+') do numbers[#numbers + 1] = tonumber(number) end
  return {
    jobs = state and 'jobs ' .. state, known = state and 1 or 0, pages = state and 'open ' .. engine .. ' ' .. priority,
    open = numbers[1] or 0, ok = numbers[2] or 0, failed = numbers[3] or 0, cancelled = numbers[4] or 0,
    failed_now = not (state or ''):find('^structur') and numbers[3] or 0, -- the pages of a structuring are no others
  }
end

-- Brings ocr:counts, ocr:waiting and the pages in ocr:figures up to date with this job. `before` is the field
-- `counted`, which says what they contain of it. So a step also counts what a worker of an older version did before it.
-- The pages of a job that ended before anybody counted it stay uncounted.
local function account(before, state, engine, priority, open, ok, failed, cancelled, since)
  local text = string.format('%s %s %d %d %d %d %d', state, engine, priority, open, ok, failed, cancelled)
  if text == before then return end
  local old, new = parse_counted(before), parse_counted(text)
  if not before and redis.call('EXISTS', counts) == 0 then set_whole() end
  count(old.jobs, old.known, new.jobs, 1)
  count(old.pages, old.open, new.pages, open)
  count('failed', old.failed_now, 'failed', new.failed_now)
  for _, ended in ipairs({'ok', 'failed', 'cancelled'}) do
    local more = new[ended] - old[ended]
    if more > 0 and (before or not has_ended()) then
      redis.call('HINCRBY', figures, 'pages ' .. engine .. ' ' .. ended, more)
    end
  end
  if open == 0 then
    redis.call('ZREM', waiting, id)
  elseif old.open == 0 then
    redis.call('ZADD', waiting, 'NX', since, id)
  end
  set('counted', text)
end

-- takes this job out of ocr:counts and ocr:waiting
local function forget()
  local old = parse_counted(get('counted'))
  count(old.jobs, old.known, nil, 0)
  count(old.pages, old.open, nil, 0)
  count('failed', old.failed_now, nil, 0)
  redis.call('ZREM', waiting, id)
end

-- Adds the change in this job's open pages to ocr:backlog, and the job's change to the figures. A job that is not
-- opened yet counts as ten pages. An ended job needs no weight; beyond 32 fields its hash's table doubles.
local function settle()
  local field = redis.call('HMGET', job, 'n', 'ok', 'failed', 'cancelled', 'weight', 'counted', 'engine', 'priority',
    'created', 'state')
  local ok, failed, cancelled = tonumber(field[2] or 0), tonumber(field[3] or 0), tonumber(field[4] or 0)
  local state, weight = field[10], 0
  if state == 'queued' then
    weight = 10
  elseif state == 'running' then
    weight = tonumber(field[1]) - ok - failed - cancelled
  end
  local before = tonumber(field[5] or 0)
  if weight ~= before then
    redis.call('INCRBY', backlog, weight - before)
    set('weight', weight, 'moved', stamp(now))
  end
  if has_ended() then redis.call('HDEL', job, 'weight', 'moved') end
  if get('structures') then state = has_ended() and 'structured' or 'structuring' end -- counted apart from jobs
  local since = field[6] and stamp(now) or field[9]
  account(field[6], state, field[7] or 'unknown', field[8] or 6, weight, ok, failed, cancelled, since)
end

local function open_count() return num('reopened') + num('top') - num('cursor') end
local function finished() return num('ok') + num('failed') + num('cancelled') == num('n') end

local function lanes_wanted() return num('width') end
local function lanes_made() return num('lanes') end

local function lane_get(i)
  local serial, sent, wait, token = (get('lane:' .. i) or ''):match('^(%S+) (%S+) (%S+) (%S+)$')
  if not serial then return nil end
  return {serial = tonumber(serial), sent = tonumber(sent), wait = tonumber(wait), token = token}
end

local function lane_put(i, lane)
  set('lane:' .. i, string.format('%d %.3f %d %s', lane.serial, lane.sent, lane.wait, lane.token))
end

local function send_document()
  set('sent:document', stamp(now))
  note_sent(DOCUMENTS)
  send('document')
end

local function send_assemble()
  set('sent:assemble', stamp(now))
  note_sent(DOCUMENTS)
  send('assemble', num('round'))
end

-- whether another engine reads pages that were read before
local function reads_again() return get('first') ~= false end

-- sends the messages again that the job waits for, but only the ticket of one lane if it is given; changes nothing
local function send_again(only)
  if get('state') == 'queued' then
    send('document')
  elseif has_ended() then
    send('ended')
  elseif finished() then
    send('assemble', num('round'))
  else
    for i = only or 0, only or lanes_made() - 1 do
      local lane = lane_get(i)
      if lane and lane.token == '-' and lane.sent > 0 and open_count() > 0 then send('page', i, lane.serial) end
    end
  end
end

-- sends the lane's current ticket
local function send_ticket(i, lane)
  lane.sent = now
  note_sent(get('queue') or '')
  send('page', i, lane.serial)
end

-- ends the lane's current ticket; sends the next one if there are open pages and the lane is still wanted
local function next_ticket(i)
  local lane = lane_get(i)
  lane.serial, lane.token, lane.sent, lane.wait = lane.serial + 1, '-', 0, FIRST_WAIT
  if open_count() > 0 and i < lanes_wanted() then send_ticket(i, lane) end
  lane_put(i, lane)
end

-- whether only one attempt is left: the next lost claim fails the page or the job
local function last_try(lost) return lost > 0 and lost + 1 >= attempts_allowed end

local function hold(token, what)
  set('claim:' .. token, what)
  redis.call('ZADD', claims, stamp(now + lease), member(token))
end

-- removes a claim; returns its kind and, for pages, its lane and its pages; nil if it is not live or not of this kind
-- step: the name of the calling script
local function let_go(token, step, kind)
  local what = get('claim:' .. token)
  if not what or (kind and what:match('^%a+') ~= kind) then return nil end
  redis.call('HDEL', job, 'claim:' .. token)
  redis.call('ZREM', claims, member(token))
  local lane, list = what:match('^page (%d+) (.*)$')
  set('last:' .. (lane or what), step .. ' ' .. token)
  if not lane then return what end
  local numbers = {}
  for n in list:gmatch('%d+') do numbers[#numbers + 1] = tonumber(n) end
  return 'page', tonumber(lane), numbers
end

-- A caller whose connection was cut before the answer came asks for the same step again. Then the messages of the first
-- answer are sent again, and nothing changes; a message that is sent twice does no harm. Returns whether this was so.
local function answer_again(token, step)
  if get('claim:' .. token) then return false end
  local slot
  for _, field in ipairs(redis.call('HKEYS', job)) do
    if field:sub(1, 5) == 'last:' and get(field) == step .. ' ' .. token then slot = field:sub(6) end
  end
  if not slot then return false end
  if tonumber(slot) and has_ended() then return true end
  send_again(tonumber(slot))
  return true
end

-- at most `most` bytes of a text in UTF-8; no character is cut in two, because clients could not decode it
local function cut(text, most)
  while most < #text and text:byte(most + 1) >= 128 and text:byte(most + 1) < 192 do most = most - 1 end
  return text:sub(1, most)
end

-- the webhook of the job, decoded once; false if it has none
local known_webhook
local function webhook()
  if known_webhook == nil then
    local text = get('webhook')
    known_webhook = text and cjson.decode(text)
  end
  return known_webhook
end

-- the member of `due` of a delivery: its id and the host that is called, so that the sender sees who waits for whom
local function due_member(name)
  return id .. '-' .. name .. ' ' .. webhook().url:match('^%a+://([^/?]+)'):lower()
end

-- stores a delivery of the job's webhook, due at once, if the webhook wants the event; a stored one stays as it is
local function deliver(name, event, data)
  if not webhook() or get('webhook_gone') or redis.call('HEXISTS', job_deliveries, name) == 1 then return end
  local wanted = false
  for _, other in ipairs(webhook().events) do wanted = wanted or other == event end
  if not wanted then return end
  local delivery = {event = event, created = stamp(now), data = data, state = 'pending', tries = 0}
  redis.call('HSET', job_deliveries, name, cjson.encode(delivery))
  redis.call('ZADD', deliveries, stamp(now), id .. '-' .. name)
  redis.call('ZADD', due, stamp(now), due_member(name))
  if not delivering then send('deliver') end
  delivering = true
end

-- stores the delivery of a page that was read, or failed
local function page_finished(n, state, code, message)
  if not webhook() then return end
  deliver(num('round') .. '-' .. n, 'page.finished', cjson.encode({page = tonumber(n), state = state, code = code,
    message = message, pages = num('n'), ok = num('ok'), failed = num('failed'), cancelled = num('cancelled')}))
end

-- notes with which quality, in percent, a page was read; nil: it is not known
local function grade(n, percent)
  local field, at = 'q' .. math.floor((n - 1) / QUALITIES), (n - 1) % QUALITIES + 1
  local known = redis.call('HGET', pages, field) or ''
  local before, after = (known:byte(at) or 0) - 1, percent or -1
  if before == after then return end
  known = known .. string.rep('\0', at - #known)
  redis.call('HSET', pages, field, known:sub(1, at - 1) .. string.char(after + 1) .. known:sub(at + 1))
  local count, sum, poor = (get('quality') or '0 0 0'):match('^(%d+) (%d+) (%d+)$')
  for value, step in pairs({[before] = -1, [after] = 1}) do
    if value >= 0 then
      count, sum = count + step, sum + step * value
      if value < POOR then poor = poor + step end
    end
  end
  set('quality', string.format('%d %d %d', count, sum, poor))
end

-- The pages whose value in their hash fits a pattern, as {page, value}: in order, or if `worst` those of lowest quality
-- first.
local function pages_like(pattern, worst)
  local all, fields, order, found = redis.call('HGETALL', pages), {}, {}, {}
  for k = 1, #all, 2 do fields[all[k]] = all[k + 1] end
  for field, value in pairs(fields) do
    local n = value:match(pattern) and tonumber(field)
    if n then
      local known = worst and fields['q' .. math.floor((n - 1) / QUALITIES)] or ''
      order[#order + 1] = (known:byte((n - 1) % QUALITIES + 1) or 0) * 2 ^ 32 + n -- numbers are sorted fast
    end
  end
  table.sort(order)
  for i, key in ipairs(order) do
    local n = key % 2 ^ 32
    found[i] = {n, fields[tostring(n)]}
  end
  return found
end

-- counts a page as read although another engine did not read it: the first reading is in the spool
local function keep(n)
  redis.call('HDEL', pages, n)
  add('ok', 1)
  page_finished(n, 'ok')
end

-- keeps the first readings of all pages that are open, or wait, for another engine
local function keep_all()
  local all = redis.call('HGETALL', pages)
  for k = 1, #all, 2 do
    if all[k + 1] == 'c0 again' or (reads_again() and all[k + 1]:sub(1, 1) == 'o') then keep(all[k]) end
  end
  redis.call('HDEL', job, 'again')
  if reads_again() then set('reopened', 0) end
end

-- puts the job under another engine: its queue, engine, model and revision
local function hand_over(engine)
  set('queue', engine.queue, 'engine', engine.engine, 'model', engine.model, 'revision', engine.revision)
end

-- Opens the worst of the pages that wait for another engine; the others keep their reading. It is at least one page, so
-- that one of a short document can be read again. The tickets of the first engine are worth nothing from now on.
local function read_again()
  local other = cjson.decode(get('other'))
  local waiting = pages_like('^c0 again$', true)
  -- the little more is for products such as 0.29 * 100, which is less than 29
  local most = math.min(#waiting, math.max(1, math.floor(other.share * num('n') + 1e-6)))
  local first = {reads_as = other.reads_as}
  for _, name in ipairs({'queue', 'engine', 'model', 'revision'}) do first[name] = get(name) or '' end
  set('first', cjson.encode(first), 'until', stamp(now + other.seconds), 'reopened', most)
  forget_sent(first.queue)
  hand_over(other)
  redis.call('ZADD', 'ocr:again:' .. other.queue, get('until'), id)
  redis.call('HDEL', job, 'again', 'other', 'no_worker')
  for i = 1, most do redis.call('HSET', pages, waiting[i][1], 'o0') end
  for i = most + 1, #waiting do keep(waiting[i][1]) end
  for i = 0, lanes_made() - 1 do
    if lane_get(i).token == '-' then next_ticket(i) end
  end
end

-- whether pages are left for another engine whose time is over: nobody begins them
local function is_too_late() return reads_again() and open_count() > 0 and now >= num('until') end

-- goes on with what follows when no page is left to be read
local function assemble_if_finished()
  if get('state') ~= 'running' then return end
  if num('again') > 0 and num('ok') + num('failed') + num('cancelled') + num('again') == num('n') then read_again() end
  if is_too_late() then keep_all() end
  if not finished() then return end
  forget_sent(get('queue') or '')
  if reads_again() then
    redis.call('ZREM', 'ocr:again:' .. get('queue'), id)
    hand_over(cjson.decode(get('first')))
  end
  redis.call('HDEL', job, 'first', 'until', 'other')
  send_assemble()
end

local function fail_page(n, lost, code, message)
  if reads_again() then return keep(n) end
  grade(n, nil)
  redis.call('HSET', pages, n, 'f' .. lost .. ' ' .. code .. ' ' .. cut(message, 300))
  add('failed', 1)
  page_finished(n, 'failed', code, cut(message, 300))
  -- a retry cannot fix a fault of the document itself
  if not FINAL_CODES[code] and not get('structures') then redis.call('ZADD', dead, stamp(now), member(n)) end
end

local function reopen_page(n, lost, alone)
  if get('cancel') and reads_again() then
    keep(n)
  elseif get('cancel') then
    redis.call('HSET', pages, n, 'x' .. lost)
    add('cancelled', 1)
  else
    redis.call('HSET', pages, n, 'o' .. lost .. (alone and 'a' or ''))
    add('reopened', 1)
  end
end

-- of a claimed page: number of lost claims, and whether it must be claimed alone
local function claimed(n)
  local lost, alone = (redis.call('HGET', pages, n) or 'c0'):match('^c(%d+)(a?)$')
  return tonumber(lost), alone == 'a'
end

local function end_job(state, code, message)
  set('state', state, 'ended', stamp(now))
  if code then set('code', code, 'message', cut(message, 500)) end
  redis.call('HDEL', job, 'sent:assemble', 'wait:assemble')
  redis.call('ZREM', open_jobs, id)
  forget_sent(DOCUMENTS)
  redis.call('ZADD', unpublished, stamp(now), id)
  send('ended')
end

-- Those of the pages `missing`, a list of indices, that count as read.
local function read_pages(missing)
  local found, seen = {}, {}
  for _, n in ipairs(missing) do
    if not seen[n] and n <= num('cursor') and not redis.call('HGET', pages, n) then found[#found + 1] = n end
    seen[n] = true
  end
  return found
end

-- The state in which a job ends that has no open page, and of which `ok` pages were read.
local function final_state(ok)
  local state = 'failed'
  if get('cancel') and num('cancelled') > 0 then
    state = 'cancelled'
  elseif ok == num('n') then
    state = 'done'
  elseif ok > 0 then
    state = 'partial'
  end
  return state
end

local function fail_job(code, message)
  local again = code == 'worker_lost' or code == 'timeout' or code == 'internal_error' or code == 'storage_error'
  if again and not get('structures') then
    redis.call('ZADD', dead, stamp(now), member(0))
  end
  end_job('failed', code, message)
end

if redis.call('EXISTS', job) == 0 then
  if NEEDS_JOB then return nil end
elseif num('v') > VERSION then
  return cjson.encode({newer = num('v')})
end
