-- Sends messages that seem lost again, and adapts the number of lanes to the workers. Changes nothing in a healthy job.
-- arg: lanes wanted (0: no live worker serves the job's queue), "1" if the job's queue is empty, "1" if the documents
-- queue is empty, seconds after which pages that no worker serves fail.
local wanted, patience = tonumber(arg(1)), tonumber(arg(4))
local state = get('state')
settle() -- a worker of an older version may have done a step without counting it

local function due(sent, wait, empty)
  return now - sent >= (empty == '1' and EMPTY_WAIT or wait)
end

local function busy(what)
  for _, field in ipairs(redis.call('HKEYS', job)) do
    if field:sub(1, 6) == 'claim:' and get(field) == what then return true end
  end
  return false
end

if state == 'queued' then
  local wait = num('wait:document')
  if not busy('document') and due(num('sent:document'), wait, arg(3)) then
    set('wait:document', math.min(2 * wait, LONGEST_WAIT))
    send_document()
  end
  return reply()
elseif state ~= 'running' then
  redis.call('ZREM', open_jobs, id)
  return reply()
end

if finished() then
  local wait = math.max(FIRST_WAIT, num('wait:assemble'))
  if not busy('assemble') and due(num('sent:assemble'), wait, arg(3)) then
    set('wait:assemble', math.min(2 * wait, LONGEST_WAIT))
    send_assemble()
  end
  return reply()
end

-- nobody waits long for an engine that reads pages once more
local gone = wanted == 0 and num('no_worker') > 0 and now - num('no_worker') >= lease
if reads_again() and open_count() > 0 and (gone or now > num('until')) then
  keep_all()
  assemble_if_finished()
  settle()
  tell({pages = {}})
  return reply()
end

if wanted == 0 then
  local since = num('no_worker')
  if since == 0 then
    set('no_worker', stamp(now))
  elseif now - since >= patience and open_count() > 0 then
    local message = 'no worker has served ' .. (get('queue') or '') .. ' for ' .. math.floor(patience / 60)
      .. ' minutes; start one, then retry'
    local all = redis.call('HGETALL', pages)
    for k = 1, #all, 2 do
      local lost = all[k + 1]:match('^o(%d+)a?$')
      if lost then fail_page(all[k], lost, 'model_missing', message) end
    end
    set('reopened', 0)
    for n = num('cursor') + 1, num('top') do fail_page(n, 0, 'model_missing', message) end
    set('cursor', num('top'))
    assemble_if_finished()
    settle()
    tell({pages = {}})
  end
  return reply()
end
redis.call('HDEL', job, 'no_worker')

wanted = math.min(wanted, num('n'))
if wanted ~= lanes_wanted() then set('width', wanted) end
for i = 0, wanted - 1 do
  local lane = lane_get(i)
  if not lane then
    lane = {serial = 0, sent = 0, wait = FIRST_WAIT, token = '-'}
    set('lanes', i + 1)
  end
  if lane.token == '-' and open_count() > 0 then
    local again = lane.sent > 0
    if not again or due(lane.sent, lane.wait, arg(2)) then
      if again then lane.wait = math.min(2 * lane.wait, LONGEST_WAIT) end
      lane.sent = now
      send('page', i, lane.serial)
    end
  end
  lane_put(i, lane)
end
return reply()
