-- Sends messages that seem lost again, and adapts the number of lanes to the workers. Changes nothing in a healthy job,
-- but what ocr:sent says about it.
-- arg: lanes wanted (0: no live worker serves the job's queue), "1" if the job's list of this queue is empty, "1" if
-- its list of the documents queue is empty, seconds after which pages that no worker serves fail, since when no worker
-- serves the queue ('': not known), why its workers pause ('': there are none).
local wanted, patience, unserved = tonumber(arg(1)), tonumber(arg(4)), tonumber(arg(5))
local state = get('state')
settle() -- a worker of an older version may have done a step without counting it

-- whether a message that was sent then is no longer in its list
local function is_lost(sent, queue, empty)
  local until_ = empty == '1' and now or tonumber(redis.call('ZSCORE', taken, list_of(queue)) or 0)
  return until_ - sent >= EMPTY_WAIT
end

local function note_waiting(queue, since)
  if not since then return forget_sent(queue) end
  note_sent(queue)
  redis.call('ZADD', 'ocr:sent:' .. list_of(queue), 'XX', stamp(since), id)
end

-- sends the message of the document or the assembly again if it is lost
local function mend_task(what, send_it)
  for _, field in ipairs(redis.call('HKEYS', job)) do
    if field:sub(1, 6) == 'claim:' and get(field) == what then return forget_sent(DOCUMENTS) end
  end
  if is_lost(num('sent:' .. what), DOCUMENTS, arg(3)) then
    set('wait:' .. what, math.min(2 * math.max(FIRST_WAIT, num('wait:' .. what)), LONGEST_WAIT))
    send_it()
  end
  note_waiting(DOCUMENTS, num('sent:' .. what))
end

-- when the oldest of the tickets was sent that wait in the first lanes; nil if none waits. Also if no page is open now:
-- a claimed one may be open again later.
local function oldest_ticket(lanes)
  local oldest
  for i = 0, lanes - 1 do
    local lane = lane_get(i)
    if lane and lane.token == '-' and lane.sent > 0 then oldest = math.min(oldest or lane.sent, lane.sent) end
  end
  return oldest
end

if state == 'queued' then
  mend_task('document', send_document)
  return reply()
elseif state ~= 'running' then
  redis.call('ZREM', open_jobs, id)
  forget_sent(DOCUMENTS)
  forget_sent(get('queue') or '')
  return reply()
end
if finished() then
  forget_sent(get('queue') or '')
  mend_task('assemble', send_assemble)
  return reply()
end

local oldest = oldest_ticket(lanes_made())
local unserved_for = wanted == 0 and unserved and now - math.max(unserved, oldest or 0) or 0

-- nobody waits long for an engine that reads pages once more
local gone = wanted == 0 and unserved_for >= lease
if reads_again() and open_count() > 0 and (gone or is_too_late()) then
  keep_all()
  assemble_if_finished()
  settle()
  tell({pages = {}})
  return reply()
end
if reads_again() then redis.call('ZADD', 'ocr:again:' .. get('queue'), get('until'), id) end

if wanted == 0 then
  if unserved and unserved_for >= patience and open_count() > 0 then
    local what_to_do = arg(6) == '' and '; start one, then retry'
      or ', because its workers pause (' .. arg(6) .. '); mend that, then retry'
    local message = 'no worker has served ' .. (get('queue') or '') .. ' for ' .. math.floor(patience / 60)
      .. ' minutes' .. what_to_do
    local all = redis.call('HGETALL', pages)
    for k = 1, #all, 2 do
      local lost = all[k + 1]:match('^o(%d+)a?$')
      if lost then fail_page(all[k], lost, 'model_missing', message) end
    end
    set('reopened', 0)
    for n = num('cursor') + 1, num('top') do fail_page(n, 0, 'model_missing', message) end
    set('cursor', num('top'))
    oldest = nil
    assemble_if_finished()
    settle()
    tell({pages = {}})
  end
  note_waiting(get('queue') or '', oldest)
  return reply()
end
redis.call('HDEL', job, 'no_worker') -- of older versions

wanted = math.min(wanted, num('n'))
if wanted ~= lanes_wanted() then set('width', wanted) end
for i = 0, wanted - 1 do
  local lane = lane_get(i)
  local is_new = not lane
  if is_new then
    lane = {serial = 0, sent = 0, wait = FIRST_WAIT, token = '-'}
    set('lanes', i + 1)
  end
  if lane.token == '-' and open_count() > 0 and (lane.sent == 0 or is_lost(lane.sent, get('queue') or '', arg(2))) then
    if lane.sent > 0 then lane.wait = math.min(2 * lane.wait, LONGEST_WAIT) end
    send_ticket(i, lane)
    is_new = true
  end
  if is_new then lane_put(i, lane) end
end
note_waiting(get('queue') or '', oldest_ticket(wanted))
return reply()
